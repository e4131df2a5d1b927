//! The login for a host in a `.netrc`.
//!
//! Source: the GNU inetutils manual, "The .netrc file".

/// The login and password for `host`, or those of the `default` entry.
pub(super) fn login(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = words(text).into_iter();
    let mut entry: Option<Entry> = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" => {
                if let Some(found) = entry.take().and_then(Entry::complete) {
                    return Some(found);
                }
                let is_it = word == "default"
                    || words
                        .next()
                        .is_some_and(|name| name.eq_ignore_ascii_case(host));
                entry = is_it.then(Entry::default);
            }
            "login" | "password" | "account" => {
                let value = words.next();
                match (&mut entry, word.as_str()) {
                    (Some(entry), "login") => entry.login = value,
                    (Some(entry), "password") => entry.password = value,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    entry.and_then(Entry::complete)
}

#[derive(Default)]
struct Entry {
    login: Option<String>,
    password: Option<String>,
}

impl Entry {
    fn complete(self) -> Option<(String, String)> {
        self.login.zip(self.password)
    }
}

/// The words of the file: without comments and macros, quoted ones as one.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        if line.trim_start().starts_with('#') {
            continue;
        }
        if line.trim_start().starts_with("macdef") {
            in_macro = true;
            continue;
        }
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter.is_whitespace() {
                continue;
            }
            let is_quoted = letter == '"';
            let mut word = String::new();
            let mut next = if is_quoted {
                letters.next()
            } else {
                Some(letter)
            };
            while let Some(letter) = next {
                match letter {
                    '"' if is_quoted => break,
                    '\\' if is_quoted => word.extend(letters.next()),
                    letter if !is_quoted && letter.is_whitespace() => break,
                    letter => word.push(letter),
                }
                next = letters.next();
            }
            found.push(word);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n\nmachine one.example.com login ann password secret one\n\
         machine two.example.com\n\tlogin \"bo b\"\n\tpassword \"pass\\\"word\"\n\
         macdef init\ncd machine\nmachine three login x password y\n\n\
         default login guest password guest#1\n";

    #[test]
    fn the_login_of_a_host_is_found_and_others_fall_back_to_the_default() {
        let pair = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
        assert_eq!(login(FILE, "ONE.example.com"), pair("ann", "secret"));
        assert_eq!(login(FILE, "two.example.com"), pair("bo b", "pass\"word"));
        assert_eq!(login(FILE, "three"), pair("guest", "guest#1"));
        assert_eq!(login("machine a login b", "a"), None);
        assert_eq!(login("machine a login b password", "a"), None);
        assert_eq!(login("machine", "a"), None);
        assert_eq!(login("", "a"), None);
    }
}
