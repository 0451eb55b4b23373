//! The documentation that the server brings along: nothing is loaded from elsewhere.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa_swagger_ui::SwaggerUi;

use crate::edge::openapi::openapi;
use crate::edge::problem::{PROBLEMS_PAGE, problems_page};

pub(super) fn router() -> Router {
    let pages: Router = SwaggerUi::new("/docs").url("/openapi.json", openapi()).into();
    pages.route(PROBLEMS_PAGE, get(problems))
}

async fn problems() -> impl IntoResponse {
    // Browsers show plain text, and only download Markdown.
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], problems_page())
}
