//! Opening the store of an address with what the person has for it.

use std::sync::Arc;

use object_store::ClientOptions;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;

use super::access::{Access, text_of};
use super::address::{Address, Provider};
use super::aws_files;
use super::dav::Dav;
use super::engine::Engine;
use super::failures::failure;
use super::folder::Folder;
use super::link::{Links, retrying};
use super::netrc;
use super::objects::Objects;
use super::{Store, failures::Cause};
use crate::error::{Error, Kind, Result};
use crate::stop::Stop;
use url::Url;

/// The store at `address`.
pub(super) fn store(address: &Address, access: &Access, stop: &Stop) -> Result<Store> {
    let engine = || Ok::<_, Error>(Arc::new(Engine::start(stop)?));
    let (provider, bucket, prefix) = match address {
        Address::Bucket {
            provider,
            bucket,
            prefix,
        } => (*provider, bucket, prefix),
        Address::Dav { server, prefix } => {
            return dav(address, (server, prefix), access, engine()?);
        }
        Address::Folder(path) => {
            // One that is missing may be made yet; a file stays one.
            let is_in_the_way = match std::fs::metadata(path) {
                Ok(meta) => !meta.is_dir(),
                Err(error) => error.kind() == std::io::ErrorKind::NotADirectory,
            };
            if is_in_the_way {
                let why = "it, or what it is in, is no folder";
                return Err(super::failures::failure(
                    address,
                    "use",
                    why,
                    "name a folder",
                ));
            }
            return Ok(Store::Folder(Folder::new(path.clone())));
        }
    };
    let store = match provider {
        Provider::S3 => s3(address, bucket, access)?,
        Provider::Gcs => gcs(address, bucket, access)?,
        Provider::Azure => azure(address, bucket, access)?,
    };
    let objects = Objects::new(store, prefix.clone(), address.clone(), engine()?);
    Ok(Store::Objects(Arc::new(objects)))
}

/// The server is asked without a login where there is none for it.
fn dav(
    address: &Address,
    (server, prefix): (&Url, &str),
    access: &Access,
    engine: Arc<Engine>,
) -> Result<Store> {
    let named = access.variable(&["CODEX_MANAGER_WEBDAV_USER"]);
    let pair = named.zip(access.variable(&["CODEX_MANAGER_WEBDAV_PASSWORD"]));
    let login = if let Some((user, password)) = pair {
        Some((user.to_owned(), password.to_owned()))
    } else {
        let file = access.file("NETRC", ".netrc");
        let text = file.map(|file| text_of(&file)).transpose()?.flatten();
        netrc::login(
            &text.unwrap_or_default(),
            server.host_str().unwrap_or_default(),
        )
    };
    let link = Links::default().link(server.scheme() == "http");
    let link = link.map_err(|_| {
        let hint = "see that the system has its certificates (`ca-certificates`)";
        failure(
            address,
            "open",
            "the system's certificates cannot be read",
            hint,
        )
    })?;
    let dav = Dav::new(link, login, (server, prefix), address.clone(), engine);
    Ok(Store::Dav(Arc::new(dav)))
}

/// What the library says of a configuration, without what it may repeat of it.
fn unusable(address: &Address, error: &object_store::Error) -> Error {
    match Cause::of(error) {
        Cause::NoCredentials => Cause::NoCredentials.told(address, "open"),
        _ => failure(
            address,
            "open",
            "what is set for it cannot be used",
            address.credentials(),
        ),
    }
}

fn s3(address: &Address, bucket: &str, access: &Access) -> Result<Arc<dyn ObjectStore>> {
    let profile = aws_files::profile(access)?;
    let say = |names: &[&str]| access.variable(names).map(str::to_owned);
    let endpoint = access
        .endpoint
        .clone()
        .or_else(|| say(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]))
        .or_else(|| profile.endpoint.clone());
    let region = access
        .region
        .clone()
        .or_else(|| say(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
        .or_else(|| profile.region.clone());
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_retry(retrying())
        .with_client_options(ClientOptions::new())
        .with_http_connector(Links::default());
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let is_path_style = access.path_style.unwrap_or(endpoint.is_some());
    builder = builder.with_virtual_hosted_style_request(!is_path_style);
    if let Some(endpoint) = endpoint {
        let endpoint = checked_endpoint(&endpoint, bucket, is_path_style)?;
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint);
    }
    let of_variables = say(&["AWS_ACCESS_KEY_ID"])
        .zip(say(&["AWS_SECRET_ACCESS_KEY"]))
        .map(|(id, secret)| (id, secret, say(&["AWS_SESSION_TOKEN"])));
    let keys = match of_variables {
        Some(keys) => Some(keys),
        None => profile.keys()?,
    };
    if let Some((id, secret, token)) = keys {
        builder = builder
            .with_access_key_id(id)
            .with_secret_access_key(secret);
        if let Some(token) = token {
            builder = builder.with_token(token);
        }
    } else {
        let mut is_of_a_cloud = false;
        let given: [(AmazonS3ConfigKey, Option<String>); 7] = [
            (
                AmazonS3ConfigKey::WebIdentityTokenFile,
                say(&["AWS_WEB_IDENTITY_TOKEN_FILE"]).or(profile.web_identity_token_file),
            ),
            (
                AmazonS3ConfigKey::RoleArn,
                say(&["AWS_ROLE_ARN"]).or(profile.role_arn),
            ),
            (
                AmazonS3ConfigKey::RoleSessionName,
                say(&["AWS_ROLE_SESSION_NAME"]),
            ),
            (
                AmazonS3ConfigKey::StsEndpoint,
                say(&["AWS_ENDPOINT_URL_STS"]),
            ),
            (
                AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
                say(&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]),
            ),
            (
                AmazonS3ConfigKey::ContainerCredentialsFullUri,
                say(&["AWS_CONTAINER_CREDENTIALS_FULL_URI"]),
            ),
            (
                AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
                say(&["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]),
            ),
        ];
        for (key, value) in given {
            if let Some(value) = value {
                is_of_a_cloud |= key != AmazonS3ConfigKey::StsEndpoint;
                builder = builder.with_config(key, value);
            }
        }
        if !is_of_a_cloud && access.is_on("AWS_EC2_METADATA_DISABLED") {
            return Err(Cause::NoCredentials.told(address, "open"));
        }
    }
    match builder.build() {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(unusable(address, &error)),
    }
}

/// The endpoint as the library takes it: with the bucket where it belongs there.
fn checked_endpoint(endpoint: &str, bucket: &str, is_path_style: bool) -> Result<String> {
    let mut url = parse_endpoint(endpoint)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let start = format!("{bucket}.");
    if !is_path_style && !host.starts_with(&start) {
        url.set_host(Some(&format!("{start}{host}"))).map_err(|_| {
            refused_endpoint(
                "its host takes no bucket before it",
                "set `sync.path_style` to true",
            )
        })?;
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn refused_endpoint(why: &str, hint: &str) -> Error {
    let message = format!("the S3 endpoint cannot be used: {why}");
    Error::new(Kind::Usage, message, hint)
}

/// Reads the address of an S3 store. Fails as `Usage`, without repeating it.
pub fn parse_endpoint(endpoint: &str) -> Result<Url> {
    let refused = refused_endpoint;
    let hint = "write `https://HOST`, or `http://HOST:PORT` where the store has no encryption, to `sync.endpoint` or \
         AWS_ENDPOINT_URL";
    let url = Url::parse(endpoint.trim()).map_err(|error| refused(&error.to_string(), hint))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(refused("it is no address of a server", hint));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = Provider::S3.credentials();
        return Err(refused("credentials do not belong in an address", hint));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it goes on after the path", hint));
    }
    Ok(url)
}

fn gcs(address: &Address, bucket: &str, access: &Access) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_retry(retrying())
        .with_client_options(ClientOptions::new())
        .with_http_connector(Links::default());
    if let Some(emulator) = access.variable(&["STORAGE_EMULATOR_HOST"]) {
        // As Google's own clients take it: without credentials.
        builder = builder
            .with_base_url(emulator.trim_end_matches('/'))
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_bearer_token("emulator");
    } else if let Some(path) =
        access.variable(&["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"])
    {
        builder = builder.with_service_account_path(path);
    } else if let Some(key) = access.variable(&["GOOGLE_SERVICE_ACCOUNT_KEY"]) {
        builder = builder.with_service_account_key(key);
    } else if let Some(path) = access.variable(&["GOOGLE_APPLICATION_CREDENTIALS"]) {
        builder = builder.with_application_credentials(path);
    } else if let Some(token) = access.variable(&["GOOGLE_BEARER_TOKEN"]) {
        builder = builder.with_bearer_token(token);
    } else {
        // What `gcloud auth application-default login` leaves.
        let usual = match access.variable(&["CLOUDSDK_CONFIG"]) {
            Some(dir) => Some(std::path::PathBuf::from(dir)),
            None => access.home.as_ref().map(|home| home.join(".config/gcloud")),
        };
        let usual = usual.map(|dir| dir.join("application_default_credentials.json"));
        if let Some(path) = usual.filter(|path| path.is_file()) {
            builder = builder.with_application_credentials(path.display().to_string());
        }
    }
    match builder.build() {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(unusable(address, &error)),
    }
}

fn azure(address: &Address, container: &str, access: &Access) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_retry(retrying())
        .with_client_options(ClientOptions::new())
        .with_http_connector(Links::default());
    let connection = access
        .variable(&["AZURE_STORAGE_CONNECTION_STRING"])
        .unwrap_or_default();
    for part in connection.split(';') {
        builder = match part.split_once('=') {
            Some(("AccountName", name)) => builder.with_account(name),
            Some(("AccountKey", key)) => builder.with_access_key(key),
            Some(("SharedAccessSignature", sas)) => {
                builder.with_config(AzureConfigKey::SasKey, sas)
            }
            Some(("BlobEndpoint", endpoint)) => builder
                .with_allow_http(endpoint.starts_with("http://"))
                .with_endpoint(endpoint.trim_end_matches('/').to_owned()),
            _ => builder,
        };
    }
    for (name, value) in &access.variables {
        // `az` knows the account by a shorter name than the library.
        let key = match name.as_str() {
            "AZURE_STORAGE_ACCOUNT" => Some(AzureConfigKey::AccountName),
            "AZURE_STORAGE_KEY" => Some(AzureConfigKey::AccessKey),
            name if name.starts_with("AZURE_") => name.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        match key {
            Some(AzureConfigKey::ContainerName) | None => {}
            Some(AzureConfigKey::Endpoint) => {
                builder = builder
                    .with_allow_http(value.starts_with("http://"))
                    .with_endpoint(value.clone());
            }
            Some(key) => builder = builder.with_config(key, value),
        }
    }
    match builder.build() {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(unusable(address, &error)),
    }
}
