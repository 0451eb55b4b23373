//! Credits: JSON numbers here, digit for digit as the exact amounts they are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{Datelike as _, Days, Months};
use ledger_core::Usdc;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::auth::Caller;
use super::{Refusal, done, number};
use crate::store::{Shared, Turn};

/// With so few services left to buy a warning is shown.
const LOW: usize = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Balance {
    credit_balance: Box<RawValue>,
    total_services: usize,
    monthly_total: Box<RawValue>,
    billing_cycle_day: u32,
    next_billing_date: String,
    status: &'static str,
    warnings: Vec<Value>,
}

pub(super) async fn balance(State(shared): State<Arc<Shared>>, _: Caller) -> Response {
    done(&shared.look(|turn| turn.billing()))
}

impl Turn<'_> {
    fn billing(&self) -> Balance {
        let build = &self.store.build;
        let services = build.services.len();
        let next = self.now.date() + Months::new(1) - Days::new(1);
        Balance {
            credit_balance: number(build.credits),
            total_services: services,
            monthly_total: number(std::iter::repeat_n(build.service_price, services).sum()),
            billing_cycle_day: next.day(),
            next_billing_date: next.date_naive().to_string(),
            status: "active",
            warnings: self.billing_warnings(),
        }
    }

    fn billing_warnings(&self) -> Vec<Value> {
        let remaining = self.services_remaining();
        let warning = json!({"level": "low", "message": "Credits are low", "servicesRemaining": remaining});
        (remaining <= LOW).then_some(warning).into_iter().collect()
    }

    /// How many more services the credits buy, counted no further than is of interest.
    fn services_remaining(&self) -> usize {
        let (credits, price) = (self.store.build.credits, self.store.build.service_price);
        let costs = std::iter::successors(Some(price), |cost| cost.checked_add(price));
        costs.take(LOW + 1).take_while(|cost| *cost <= credits).count()
    }

    /// Takes the price of one service.
    pub(super) fn charge_for_service(&mut self) -> Result<(), Refusal> {
        let build = &mut self.store.build;
        if build.credits < build.service_price {
            return Err(short(build.credits, build.service_price));
        }
        build.credits -= build.service_price;
        Ok(())
    }
}

fn short(credits: Usdc, price: Usdc) -> Refusal {
    // Through a `Value` the decimals would become floats.
    let body =
        format!(r#"{{"error":"Insufficient credits","creditBalance":{credits},"requiredAmount":{price}}}"#);
    let body = RawValue::from_string(body).expect("a text and two decimals are JSON");
    Refusal { status: StatusCode::PAYMENT_REQUIRED, body }
}
