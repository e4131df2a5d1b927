//! The settings of a Codex home of our own, where Codex has to do with one login and with nothing else of the person's. Pure.

use toml::{Table, Value};

/// Of the person's settings what leads to the service; proxies and certificates stand in the environment.
const ROUTES: [&str; 2] = ["chatgpt_base_url", "openai_base_url"];

/// Where the login is, and what would ask, fetch, tell or start anything beside it. A key that a version does not know is
/// passed over by it.
const OWN: &str = "\
cli_auth_credentials_store = \"file\"
check_for_update_on_startup = false

[analytics]
enabled = false

[feedback]
enabled = false

[features]
apps = false
daemon_auto_start = false
hooks = false
plugins = false
shell_snapshot = false
";

/// The text of `config.toml`, given the person's; the error says why that cannot be read.
pub fn settings(persons: Option<&[u8]>) -> Result<String, String> {
    let persons = persons.unwrap_or_default();
    let text = std::str::from_utf8(persons).map_err(|_| "it is no text".to_owned())?;
    let table: Table = text.parse().map_err(|_| "it is no TOML".to_owned())?;
    let routes = ROUTES.into_iter().filter_map(|key| {
        let value = table.get(key)?.as_str()?;
        Some(format!("{key} = {}\n", Value::from(value)))
    });
    Ok(routes.chain([OWN.to_owned()]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_the_service_is_taken_over() {
        let text = "model = \"made-up\"\nchatgpt_base_url = \"http://127.0.0.1/a\\\"b\"\nopenai_base_url = 7\n\
                    notify = [\"x\"]\n[mcp_servers.a]\ncommand = \"x\"\n[profiles.b]\nchatgpt_base_url = \"c\"\n";
        let settings = |text: &[u8]| settings(Some(text)).map(|text| text.parse::<Table>());
        let made = settings(text.as_bytes()).expect("reads").expect("TOML");
        let own: Table = OWN.parse().expect("TOML");
        let added: Vec<_> = made
            .iter()
            .filter(|(key, _)| !own.contains_key(*key))
            .collect();
        assert_eq!(
            added,
            [(
                &"chatgpt_base_url".to_owned(),
                &Value::from("http://127.0.0.1/a\"b")
            )]
        );
        assert_eq!(settings(b"").expect("reads").expect("TOML"), own);
        assert_eq!(settings(b"a = ").err().as_deref(), Some("it is no TOML"));
        assert_eq!(settings(b"\xff").err().as_deref(), Some("it is no text"));
    }
}
