//! The profiles that Amazon's tools keep in a home: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Source: docs.aws.amazon.com/sdkref, "Shared config and credentials files" and "Process credential provider".

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::access::{Access, text_of};
use crate::error::{Error, Kind, Result};

/// What a profile says, of what matters here.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct AwsProfile {
    /// The key's name, its secret, and the session's token.
    pub keys: Option<(String, String, Option<String>)>,
    pub region: Option<String>,
    pub endpoint: Option<String>,
    pub web_identity_token_file: Option<String>,
    pub role_arn: Option<String>,
    /// A program that prints keys.
    process: Option<String>,
}

/// The sections of an ini file by name, each with its keys in lower case. Later lines win; what is nested is left out, but
/// for the lines below `s3 =` and the like, which are none of ours.
pub(super) fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || is_nested {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split(']').next().unwrap_or(rest).trim();
            let name: Vec<&str> = name.split_whitespace().collect();
            section = Some(name.join(" "));
            continue;
        }
        if let (Some(section), Some((key, value))) = (&section, line.split_once('=')) {
            // A comment at the end of a line needs a blank before it.
            let value = value.split(" #").next().unwrap_or(value);
            let value = value.split(" ;").next().unwrap_or(value).trim();
            let entries = found.entry(section.clone()).or_default();
            entries.insert(key.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    found
}

/// The profile that AWS_PROFILE names, or the default one. A named one that is nowhere is a failure.
pub(super) fn profile(access: &Access) -> Result<AwsProfile> {
    let named = access.variable(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
    let name = named.unwrap_or("default");
    let read = |variable, usual| -> Result<_> {
        let Some(path) = access.file(variable, usual) else {
            return Ok(BTreeMap::new());
        };
        Ok(sections(&text_of(&path)?.unwrap_or_default()))
    };
    let credentials = read("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")?;
    let config = read("AWS_CONFIG_FILE", ".aws/config")?;
    let of_config = config.get(&format!("profile {name}"));
    let of_config = of_config.or_else(|| config.get(name).filter(|_| name == "default"));
    let of_credentials = credentials.get(name);
    if named.is_some() && of_config.is_none() && of_credentials.is_none() {
        let message =
            format!("there is no profile `{name}` in ~/.aws/credentials or ~/.aws/config");
        let hint = "mend AWS_PROFILE, or make the profile with `aws configure --profile NAME`";
        return Err(Error::new(Kind::Remote, message, hint));
    }
    // Credentials go before the configuration.
    let say = |key: &str| {
        [of_credentials, of_config]
            .into_iter()
            .flatten()
            .find_map(|section| section.get(key))
            .filter(|value| !value.is_empty())
            .cloned()
    };
    let keys = say("aws_access_key_id").zip(say("aws_secret_access_key"));
    Ok(AwsProfile {
        keys: keys.map(|(id, secret)| (id, secret, say("aws_session_token"))),
        region: say("region"),
        endpoint: say("endpoint_url"),
        web_identity_token_file: say("web_identity_token_file"),
        role_arn: say("role_arn"),
        process: say("credential_process"),
    })
}

#[derive(Deserialize)]
struct Printed {
    #[serde(rename = "AccessKeyId")]
    id: String,
    #[serde(rename = "SecretAccessKey")]
    secret: String,
    #[serde(rename = "SessionToken")]
    token: Option<String>,
}

impl AwsProfile {
    /// The keys that the profile holds, or that its program prints.
    pub fn keys(&self) -> Result<Option<(String, String, Option<String>)>> {
        let Some(command) = self.process.as_ref().filter(|_| self.keys.is_none()) else {
            return Ok(self.keys.clone());
        };
        let failed = |why: &str| {
            let message = format!("the credential_process of the AWS profile {why}");
            let hint = "run the command in ~/.aws/config by hand to see what it says";
            Error::new(Kind::Remote, message, hint)
        };
        let words = shell_words::split(command).map_err(|_| failed("is no command"))?;
        let (program, arguments) = words.split_first().ok_or_else(|| failed("is empty"))?;
        let printed = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| {
                failed(&format!(
                    "cannot be run: {}",
                    crate::error::describe(&error)
                ))
            })?;
        if !printed.status.success() {
            return Err(failed("failed"));
        }
        let printed: Printed = serde_json::from_slice(&printed.stdout)
            .map_err(|_| failed("printed no credentials"))?;
        Ok(Some((printed.id, printed.secret, printed.token)))
    }
}

#[cfg(test)]
mod tests;
