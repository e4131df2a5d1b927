//! Profiles as Amazon's tools write them.

use super::*;

fn access(dir: &std::path::Path, variables: &[(&str, &str)]) -> Access {
    let variables = variables.iter();
    Access {
        variables: variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        home: Some(dir.to_owned()),
        ..Access::default()
    }
}

fn home() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".aws")).unwrap();
    std::fs::write(
        dir.path().join(".aws/credentials"),
        "\u{feff}# mine\n[default]\naws_access_key_id = ID1\nAWS_SECRET_ACCESS_KEY=se=cret1 # note\r\n\n\
         [work]\naws_access_key_id=ID2\naws_secret_access_key=secret2\naws_session_token=token2\n[half]\naws_access_key_id=X\n",
    )
    .unwrap();
    std::fs::write(
        dir.path().join(".aws/config"),
        "[default]\nregion = eu-west-1\ns3 =\n  region = nested\n[profile  work]\nregion=us-east-2\n\
         endpoint_url=https://s3.example.com\naws_access_key_id=OTHER\n[profile made]\n\
         credential_process = sh -c \"echo '{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"P\\\",\\\"SecretAccessKey\\\":\\\"S\\\"}'\"\n\
         [profile broken]\ncredential_process = sh -c 'echo no; exit 0'\n",
    )
    .unwrap();
    dir
}

fn keys(id: &str, secret: &str, token: Option<&str>) -> (String, String, Option<String>) {
    (id.to_owned(), secret.to_owned(), token.map(str::to_owned))
}

#[test]
fn a_profile_is_found_in_either_file_and_credentials_go_first() {
    let home = home();
    let of = |variables: &[(&str, &str)]| profile(&access(home.path(), variables)).unwrap();
    let default = of(&[]);
    assert!(default.keys().unwrap() == Some(keys("ID1", "se=cret1", None)));
    assert_eq!(default.region.as_deref(), Some("eu-west-1"));
    let work = of(&[("AWS_PROFILE", "work")]);
    assert!(work.keys().unwrap() == Some(keys("ID2", "secret2", Some("token2"))));
    assert_eq!(work.endpoint.as_deref(), Some("https://s3.example.com"));
    assert!(of(&[("AWS_PROFILE", "half")]).keys().unwrap().is_none());
    let elsewhere = of(&[
        ("AWS_SHARED_CREDENTIALS_FILE", "~/nowhere"),
        ("AWS_CONFIG_FILE", "/nowhere"),
    ]);
    assert!(elsewhere.keys().unwrap().is_none());
}

#[test]
fn a_profile_that_is_nowhere_is_named() {
    let home = home();
    let error = profile(&access(home.path(), &[("AWS_PROFILE", "wrok")]))
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "there is no profile `wrok` in ~/.aws/credentials or ~/.aws/config"
    );
}

#[cfg(unix)]
#[test]
fn a_program_may_print_the_keys() {
    let home = home();
    let made = profile(&access(home.path(), &[("AWS_PROFILE", "made")])).unwrap();
    assert!(made.keys().unwrap() == Some(keys("P", "S", None)));
    let broken = profile(&access(home.path(), &[("AWS_PROFILE", "broken")])).unwrap();
    assert_eq!(
        broken.keys().unwrap_err().to_string(),
        "the credential_process of the AWS profile printed no credentials"
    );
}
