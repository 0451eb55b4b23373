//! Finds the server and the key.

use std::path::PathBuf;

use drip_client::{Client, app_of_key};

use crate::failure::{Exit, Failure};

/// Which Drip is asked, and as whom.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ClientArgs {
    /// Where Drip is.
    #[arg(
        long,
        global = true,
        env = "DRIP_URL",
        default_value = "http://127.0.0.1:8377",
        value_name = "URL"
    )]
    url: String,

    /// The API key [default: the development key of the data folder]. The environment is the better place for it:
    /// command lines can be seen by other users of the machine.
    #[arg(long, global = true, env = "DRIP_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,

    /// The data folder of a `drip up`, whose development key is used when no API key is given.
    #[arg(long, global = true, env = "DRIP_DATA_DIR", default_value = "drip-data", value_name = "DIR")]
    data_dir: PathBuf,

    /// The app; it must be the API key's.
    #[arg(long, global = true, value_name = "APP")]
    app: Option<String>,
}

impl ClientArgs {
    /// A client for it. Nothing is sent yet.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let key = self.key()?;
        self.check_app(&key)?;
        Ok(Client::new(&self.url, key)?)
    }

    fn key(&self) -> Result<String, Failure> {
        if let Some(key) = self.api_key.as_deref().map(str::trim).filter(|key| !key.is_empty()) {
            return Ok(key.to_owned());
        }
        let file = self.data_dir.join("dev.key");
        let read = std::fs::read_to_string(&file).map_err(|error| {
            Failure::new(Exit::Usage, "there is no API key")
                .because(&format!(
                    "neither --api-key nor DRIP_API_KEY is given, and {}: {error}",
                    file.display()
                ))
                .try_this("Set DRIP_API_KEY, or name the data folder of `drip up` with --data-dir.")
        })?;
        Ok(read.trim().to_owned())
    }

    fn check_app(&self, key: &str) -> Result<(), Failure> {
        match (self.app.as_deref(), app_of_key(key)) {
            (None, _) => Ok(()),
            (Some(asked), Some(found)) if asked == found => Ok(()),
            (Some(asked), found) => {
                let found =
                    found.map_or("names no app".to_owned(), |found| format!("is one of the app \"{found}\""));
                Err(Failure::new(Exit::Usage, format!("--app is \"{asked}\", but the API key {found}"))
                    .try_this("Give a key of that app, or leave --app out."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(app: Option<&str>, api_key: Option<&str>, data_dir: &str) -> Result<Client, Failure> {
        let (app, api_key) = (app.map(str::to_owned), api_key.map(str::to_owned));
        ClientArgs { url: "http://127.0.0.1:1".into(), api_key, data_dir: data_dir.into(), app }.client()
    }

    #[test]
    fn the_app_must_be_the_keys() {
        assert!(client(None, Some("drip_demo_x"), "").is_ok());
        assert!(client(Some("demo"), Some("drip_demo_x"), "").is_ok());
        let error = format!("{:?}", client(Some("other"), Some("drip_demo_secret"), "").unwrap_err());
        assert!(error.contains("demo") && error.contains("other") && !error.contains("secret"), "{error}");
        assert!(client(Some("demo"), Some("what"), "").is_err());
    }

    #[test]
    fn without_a_key_the_one_of_the_data_folder_is_used() {
        let dir = std::env::temp_dir().join(format!("drip-connect-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        let name = dir.to_str().unwrap();
        assert!(format!("{:?}", client(None, None, name).unwrap_err()).contains("DRIP_API_KEY"));
        std::fs::write(dir.join("dev.key"), "drip_found_x\n").unwrap();
        assert!(client(Some("found"), None, name).is_ok());
        assert!(client(Some("found"), Some(" "), name).is_ok());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
