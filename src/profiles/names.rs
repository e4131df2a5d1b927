//! What profiles are called: which one a person means by a name, what a new one is called, what an alias may be.

use crate::error::{Error, Kind, Result};
use crate::metadata::{ARCHIVE_SUFFIX, Account};

use super::Profile;

/// The fewest letters of a name that stand for all of it: a single one is too soon typed by mistake.
const FEWEST: usize = 2;

/// The longest name and alias, in characters.
const MOST: usize = 64;

/// What names and aliases have beside letters and digits.
const SIGNS: &str = "._+-";

/// A name as it is typed behind a command.
pub fn word(name: &str) -> String {
    let dashes = if name.starts_with('-') { "-- " } else { "" };
    format!("{dashes}{}", shell_words::quote(name))
}

/// The same behind `profile login`, which hands on what stands behind `--`: by the email where the name looks like an option.
pub fn login_word(name: &str, email: Option<&str>) -> String {
    let instead = email.filter(|_| name.starts_with('-'));
    shell_words::quote(instead.unwrap_or(name)).into_owned()
}

/// The profile that a person means by `name`: one of that name, else one of that alias, else one of that email, or of
/// that id of an API key. The case of letters matters only where it tells two names apart.
///
/// Fails as `Usage` where it means several, which are listed, and as `NotFound` where it means none.
pub fn meant<'a>(profiles: &'a [Profile], name: &str) -> Result<&'a Profile> {
    let exact = profiles.iter().find(|profile| profile.name == name);
    if let Some(profile) = exact {
        return Ok(profile);
    }
    let ways: [&dyn Fn(&Profile) -> bool; 3] = [
        &|profile| is_same(&profile.name, name),
        &|profile| is_some(profile.alias.as_deref(), name),
        &|profile| is_some(profile.called(), name),
    ];
    for is_meant in ways {
        let found: Vec<&Profile> = profiles
            .iter()
            .filter(|profile| is_meant(profile))
            .collect();
        match found.as_slice() {
            [] => {}
            [only] => return Ok(only),
            several => return Err(ambiguous(name, several)),
        }
    }
    Err(Error::new(
        Kind::NotFound,
        format!("there is no profile `{name}`"),
        if profiles.is_empty() {
            "there is none at all: `codex-manager backup` makes one for the account that is signed in"
        } else {
            "`codex-manager profile list` shows them all"
        },
    ))
}

/// The same, and where nothing is called so, the one profile of which the name, alias or email begins with `name`.
///
/// Fails as `Usage` where several do, which are listed.
pub fn begun<'a>(profiles: &'a [Profile], name: &str) -> Result<&'a Profile> {
    let none = match meant(profiles, name) {
        Err(error) if error.kind() == Kind::NotFound => error,
        other => return other,
    };
    let begins = |profile: &&Profile| names_of(profile).any(|whole| begins(whole, name));
    let found: Vec<&Profile> = profiles.iter().filter(begins).collect();
    match found.as_slice() {
        [] => Err(none),
        [only] => Ok(only),
        several => Err(ambiguous(name, several)),
    }
}

/// What a person may call a profile.
pub fn names_of(profile: &Profile) -> impl Iterator<Item = &str> {
    let others = [profile.alias.as_deref(), profile.called()];
    std::iter::once(profile.name.as_str()).chain(others.into_iter().flatten())
}

/// Whether `typed` stands for `whole`, as its beginning in any case of letters; it has to be long enough for that.
pub fn begins(whole: &str, typed: &str) -> bool {
    // Letter by letter: of a whole word the case of one may depend on what follows it.
    let mut whole = whole.chars().flat_map(char::to_lowercase);
    let mut typed_letters = typed.chars().flat_map(char::to_lowercase);
    typed.chars().count() >= FEWEST && typed_letters.all(|letter| whole.next() == Some(letter))
}

fn ambiguous(name: &str, several: &[&Profile]) -> Error {
    let told = |profile: &&Profile| {
        let workspace = profile.account_id.as_deref();
        format!(
            "{}: {} ({})",
            profile.name,
            profile.called().unwrap_or("nobody is named"),
            workspace.unwrap_or("workspace unknown")
        )
    };
    let told: Vec<String> = several.iter().map(told).collect();
    Error::new(
        Kind::Usage,
        format!("`{name}` is more than one profile: {}", told.join(", ")),
        "say which by the name before the colon",
    )
}

/// Whether two names are one but for the case of their letters: a file system may not tell them apart.
pub fn is_same(one: &str, two: &str) -> bool {
    one == two || one.to_lowercase() == two.to_lowercase()
}

fn is_some(one: Option<&str>, two: &str) -> bool {
    one.is_some_and(|one| is_same(one, two))
}

/// What a profile of `account` would be called: the email's local part; for a key its own id.
pub fn wanted(account: &Account) -> String {
    let email = account.email.as_deref();
    let local = email.map(|email| email.rsplit_once('@').map_or(email, |(local, _)| local));
    let text = local.filter(|local| !local.is_empty()).or(email);
    let text = text.or(account.user_id.as_deref()).unwrap_or_default();
    let safe = |letter: char| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_alphanumeric() || SIGNS.contains(letter) => letter,
        _ => '-',
    };
    let name: String = text.chars().take(MOST).map(safe).collect();
    match name.trim_matches(['.', '-']) {
        "" => "account".to_owned(),
        name if is_device(name) => format!("account-{name}"),
        name => name.to_owned(),
    }
}

/// `wanted`, or the first of `wanted-2`, `wanted-3`… that is none of `taken`, whatever its case.
pub fn free(wanted: &str, taken: &[String]) -> String {
    let is_free = |name: &str| !taken.iter().any(|taken| is_same(taken, name));
    let numbered = (2_u64..).map(|number| format!("{wanted}-{number}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| is_free(name)).unwrap_or_default()
}

/// A device of Windows, with any ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.to_ascii_lowercase();
    let numbered = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"));
    ["con", "prn", "aux", "nul"].contains(&stem.as_str())
        || numbered.is_some_and(|rest| rest.len() == 1 && rest.chars().all(|c| c.is_ascii_digit()))
}

/// Fails where the profile `of` must not be called `name`: what is no name for a directory on every system, or is what
/// another profile is called.
pub fn check_name(profiles: &[Profile], of: &Profile, name: &str) -> Result<()> {
    let refused = |why: &str| {
        Error::new(
            Kind::Usage,
            format!("a profile cannot be called `{name}`: {why}"),
            "a name is 1 to 64 of the letters a to z, digits and `._+-`, and of no other profile",
        )
    };
    if let Some(why) = not_a_name(name) {
        return Err(refused(why));
    }
    check_free(profiles, of, name).map_err(|why| refused(&why))
}

/// Why a profile can nowhere be called `name`, whoever else there is.
pub fn not_a_name(name: &str) -> Option<&'static str> {
    let is_safe = |letter: char| letter.is_ascii_alphanumeric() || SIGNS.contains(letter);
    if !(1..=MOST).contains(&name.len()) || !name.chars().all(is_safe) {
        return Some("it is no name for a directory on every system");
    }
    if name.starts_with(['.', '-']) || name.ends_with(['.', '-']) {
        return Some("it begins or ends with `.` or `-`");
    }
    if name.to_lowercase().ends_with(ARCHIVE_SUFFIX) {
        return Some("it looks like an archive");
    }
    is_device(name).then_some("Windows keeps that name for a device")
}

/// Fails where the profile `of` must not have the alias `alias`: it could be taken for an email, an archive, a path or an
/// option, or is what another profile is called.
pub fn check_alias(profiles: &[Profile], of: &Profile, alias: &str) -> Result<()> {
    let refused = |why: &str| {
        Error::new(
            Kind::Usage,
            format!("`{alias}` cannot be an alias: {why}"),
            "an alias is 1 to 64 letters, digits and `._+-`, begins with a letter or digit, and is of no other profile",
        )
    };
    let is_safe = |letter: char| letter.is_alphanumeric() || SIGNS.contains(letter);
    if alias.contains('@') {
        return Err(refused("it looks like an email"));
    }
    if alias.contains(['/', '\\']) {
        return Err(refused("it looks like a path"));
    }
    if !alias.starts_with(char::is_alphanumeric)
        || !alias.chars().all(is_safe)
        || alias.chars().count() > MOST
    {
        return Err(refused("it is nothing that is typed easily"));
    }
    check_free(profiles, of, alias).map_err(|why| refused(&why))
}

/// Why `name` may not be what the profile `of` is called, or its alias.
fn check_free(profiles: &[Profile], of: &Profile, name: &str) -> std::result::Result<(), String> {
    if name.to_lowercase().ends_with(ARCHIVE_SUFFIX) {
        return Err("it looks like an archive".to_owned());
    }
    let others = profiles.iter().filter(|profile| profile.name != of.name);
    for other in others {
        let whose = [
            (Some(other.name.as_str()), "the name"),
            (other.alias.as_deref(), "the alias"),
            (other.called(), "the account"),
        ];
        for (taken, what) in whose {
            if is_some(taken, name) {
                return Err(format!("it is {what} of the profile `{}`", other.name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn profile(name: &str, alias: Option<&str>, email: Option<&str>, workspace: &str) -> Profile {
        Profile {
            name: name.to_owned(),
            alias: alias.map(str::to_owned),
            email: email.map(str::to_owned),
            user_id: Some(format!("apikey-{name}")),
            account_id: Some(workspace.to_owned()),
            ..Profile::default()
        }
    }

    fn all() -> Vec<Profile> {
        let alice = Some("alice@example.com");
        vec![
            profile("alice", Some("job"), alice, "ws-1"),
            profile("alice-2", Some("Straße"), alice, "ws-2"),
            profile("bob", Some("alice"), Some("bob@example.com"), "ws-3"),
            profile("job-2", Some("twice"), None, "ws-4"),
            profile("Key", Some("Twice"), None, "ws-5"),
            profile("key", None, None, "ws-6"),
        ]
    }

    #[test]
    fn a_name_goes_before_an_alias_and_an_alias_before_an_email() {
        let profiles = all();
        let found = |name| meant(&profiles, name).map(|profile| profile.name.as_str());
        for (said, name) in [
            ("alice", "alice"),
            ("ALICE-2", "alice-2"),
            ("Job", "alice"),
            ("STRASSE", ""),
            ("straße", "alice-2"),
            ("Bob@Example.com", "bob"),
            ("apikey-job-2", "job-2"),
            // Where the case tells them apart it counts.
            ("Key", "Key"),
            ("key", "key"),
            // An id of somebody with an email is no name of theirs.
            ("apikey-bob", ""),
            ("", ""),
        ] {
            let found = found(said).map_err(|error| error.kind());
            let expected = Some(name).filter(|name| !name.is_empty());
            assert_eq!(found, expected.ok_or(Kind::NotFound), "{said}");
        }
    }

    #[test]
    fn what_means_several_lists_them_and_what_means_none_says_where_to_look() {
        let profiles = all();
        let told = |name| {
            let error = meant(&profiles, name).expect_err("refused");
            (error.kind(), error.to_string())
        };
        assert_eq!(
            told("Alice@example.com"),
            (
                Kind::Usage,
                "`Alice@example.com` is more than one profile: alice: alice@example.com (ws-1), alice-2: \
                 alice@example.com (ws-2)"
                    .to_owned()
            )
        );
        assert_eq!(told("twice").0, Kind::Usage);
        assert_eq!(told("KEY").0, Kind::Usage);
        let none = meant(&profiles, "carol").expect_err("none");
        assert_eq!(
            (none.kind(), none.to_string().as_str(), none.hint()),
            (
                Kind::NotFound,
                "there is no profile `carol`",
                "`codex-manager profile list` shows them all"
            )
        );
        let none = meant(&[], "carol").expect_err("none");
        assert!(none.hint().contains("codex-manager backup"));
    }

    #[test]
    fn an_alias_is_nothing_that_could_be_taken_for_something_else() {
        let profiles = all();
        let told = |alias: &str| {
            let error = check_alias(&profiles, &profiles[0], alias).err()?;
            Some(error.to_string().rsplit_once(": ")?.1.to_owned())
        };
        for fine in ["job", "JOB", "arbeit-2", "ü", "7", "a.tar", "a+b_c."] {
            assert_eq!(told(fine), None, "{fine}");
        }
        let long = "a".repeat(65);
        for (alias, why) in [
            ("BOB", "it is the name of the profile `bob`"),
            ("Alice", "it is the alias of the profile `bob`"),
            ("STRAßE", "it is the alias of the profile `alice-2`"),
            ("apikey-Key", "it is the account of the profile `Key`"),
            ("me@work", "it looks like an email"),
            ("../me", "it looks like a path"),
            ("me\\it", "it looks like a path"),
            ("a.Tar.gz", "it looks like an archive"),
            ("", "it is nothing that is typed easily"),
            ("-v", "it is nothing that is typed easily"),
            (".hidden", "it is nothing that is typed easily"),
            ("~", "it is nothing that is typed easily"),
            ("two words", "it is nothing that is typed easily"),
            ("a\u{1b}[2J", "it is nothing that is typed easily"),
            (&long, "it is nothing that is typed easily"),
        ] {
            assert_eq!(told(alias).as_deref(), Some(why), "{alias:?}");
        }
    }

    #[test]
    fn a_name_is_one_for_every_system_and_of_nobody_else() {
        let profiles = all();
        let told = |name: &str| {
            let error = check_name(&profiles, &profiles[0], name).err()?;
            Some(error.to_string().rsplit_once(": ")?.1.to_owned())
        };
        for fine in [
            "job",
            "work",
            "a.b_c+d-e",
            "com10",
            "console",
            &"a".repeat(64),
        ] {
            assert_eq!(told(fine), None, "{fine}");
        }
        // A change of its own letters' case.
        assert!(check_name(&profiles, &profiles[3], "Job-2").is_ok());
        let on_every = "it is no name for a directory on every system";
        let long = "a".repeat(65);
        for (name, why) in [
            ("", on_every),
            ("a/b", on_every),
            ("a b", on_every),
            ("ü", on_every),
            ("a@b", on_every),
            (&long, on_every),
            (".a", "it begins or ends with `.` or `-`"),
            ("..", "it begins or ends with `.` or `-`"),
            ("a.", "it begins or ends with `.` or `-`"),
            ("-a", "it begins or ends with `.` or `-`"),
            ("Con", "Windows keeps that name for a device"),
            ("lpt1.txt", "Windows keeps that name for a device"),
            ("x.tar.gz", "it looks like an archive"),
            ("Bob", "it is the name of the profile `bob`"),
            ("TWICE", "it is the alias of the profile `job-2`"),
            ("apikey-key", "it is the account of the profile `Key`"),
        ] {
            assert_eq!(told(name).as_deref(), Some(why), "{name:?}");
        }
    }

    #[test]
    fn names_are_safe_and_of_the_email() {
        let name = |email: &str| wanted(&Account::of_email(email));
        for (email, expected) in [
            ("alice@example.com", "alice"),
            ("Alice.B+c_d@example.com", "alice.b+c_d"),
            ("../../x@example.com", "x"),
            ("a/b\\c@example.com", "a-b-c"),
            ("@example.com", "example.com"),
            ("ünï@example.com", "n"),
            ("üü@example.com", "account"),
            ("con@example.com", "account-con"),
            ("lpt1.x@example.com", "account-lpt1.x"),
            ("\"a@b\"@example.com", "a-b"),
        ] {
            assert_eq!(name(email), expected, "{email}");
        }
        let taken = ["Alice".to_owned(), "alice-2".to_owned()];
        assert_eq!(free("alice", &taken), "alice-3");
        assert_eq!(free("bob", &taken), "bob");
    }

    #[test]
    fn a_beginning_stands_for_the_one_name_that_has_it() {
        let profiles = all();
        let found = |name| begun(&profiles, name).map(|profile| profile.name.as_str());
        for (said, name) in [
            ("bo", Ok("bob")),
            ("BOB@EX", Ok("bob")),
            ("STR", Ok("alice-2")),
            ("apikey-j", Ok("job-2")),
            // One letter is none.
            ("b", Err(Kind::NotFound)),
            ("", Err(Kind::NotFound)),
            // What is called so goes before all that begin so.
            ("alice", Ok("alice")),
            ("job", Ok("alice")),
            // Also of one account in two workspaces.
            ("alice@", Err(Kind::Usage)),
            ("tw", Err(Kind::Usage)),
            ("bobb", Err(Kind::NotFound)),
        ] {
            let found = found(said).map_err(|error| error.kind());
            assert_eq!(found, name, "{said}");
        }
    }

    /// Names of few letters, so that they often begin alike; some change their length with their case.
    fn short() -> impl Strategy<Value = String> {
        "[abAΣς]{1,4}"
    }

    fn any_profiles() -> impl Strategy<Value = Vec<Profile>> {
        let one = (short(), proptest::option::of(short()), short());
        let all = proptest::collection::vec(one, 1..6);
        all.prop_map(|all| {
            let numbered = all.into_iter().enumerate();
            let profile =
                |(place, (name, alias, email)): (usize, (String, Option<String>, String))| {
                    let email = format!("{email}@example.com");
                    profile(
                        &format!("{name}{place}"),
                        alias.as_deref(),
                        Some(&email),
                        "ws",
                    )
                };
            numbered.map(profile).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn more_letters_never_mean_somebody_else(profiles in any_profiles(), typed in short(), more in short()) {
            // Unless they are all of a name.
            if let (Ok(one), Err(_)) = (begun(&profiles, &typed), meant(&profiles, &typed))
                && let Ok(other) = begun(&profiles, &format!("{typed}{more}"))
            {
                prop_assert_eq!(&one.name, &other.name);
            }
        }

        #[test]
        fn what_is_called_so_goes_before_what_begins_so(profiles in any_profiles(), place in 0_usize..6) {
            for name in profiles.get(place).into_iter().flat_map(names_of) {
                let exact = meant(&profiles, name).map(|profile| &profile.name).map_err(|error| error.kind());
                let begun = begun(&profiles, name).map(|profile| &profile.name).map_err(|error| error.kind());
                prop_assert!(exact != Err(Kind::NotFound));
                prop_assert_eq!(exact, begun);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn every_name_is_one_plain_part_of_a_path(email in any::<String>(), taken in 0_usize..3) {
            let name = wanted(&Account::of_email(&email));
            let taken: Vec<String> = [name.to_uppercase(), format!("{name}-2")].into_iter().take(taken).collect();
            let free = free(&name, &taken);
            prop_assert!(!taken.iter().any(|taken| taken.eq_ignore_ascii_case(&free)));
            let mut parts = Path::new(&free).components();
            prop_assert!(matches!(parts.next(), Some(std::path::Component::Normal(_))) && parts.next().is_none());
            prop_assert!(free.len() < 80 && free.is_ascii() && !free.ends_with('.') && !free.starts_with('.'));
            prop_assert!(!free.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', ' ']));
        }
    }
}
