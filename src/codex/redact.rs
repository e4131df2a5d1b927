//! What Codex says, as far as it may be passed on: a login may stand in any of it. Pure.

/// The longest text of Codex's that is passed on.
const MOST_LETTERS: usize = 200;

/// A word at least this long may be a token: base64 and hex have no spaces, sentences have.
const SHORTEST_TOKEN: usize = 32;

/// What tokens and keys begin with.
const BEGINNINGS: [&str; 7] = ["eyJ", "sk-", "rt_", "rt-", "rt.", "at-", "sess-"];

/// What tokens and keys are called, where one follows as a value.
const NAMES: [&str; 7] = [
    "access_token",
    "refresh_token",
    "id_token",
    "api_key",
    "apikey",
    "client_secret",
    "password",
];

/// The first line of `text`, without what may be a token, cut to a length that a message can take.
pub fn first_line(text: &str) -> String {
    line(text.lines().map(str::trim).find(|line| !line.is_empty()))
}

/// The last line of `text` in the same way.
pub fn last_line(text: &str) -> String {
    line(
        text.lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty()),
    )
}

fn line(line: Option<&str>) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || "_-.+~%".contains(letter);
    let mut shown = String::new();
    let mut is_value = false;
    let mut rest = line.unwrap_or_default();
    // Whatever goes by this name is one.
    let bearer = rest.to_ascii_lowercase().find("bearer ");
    let bearer = bearer.and_then(|at| rest.split_at_checked(at + "bearer ".len()));
    let unbearable;
    if let Some((before, after)) = bearer {
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        unbearable = format!("{before}[hidden]{}", after.get(end..).unwrap_or_default());
        rest = &unbearable;
    }
    while !rest.is_empty() {
        let end = rest
            .find(|letter| !is_of_word(letter))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let begins =
            |beginning: &&str| word.starts_with(*beginning) && word.len() > beginning.len();
        if is_value || word.len() >= SHORTEST_TOKEN || BEGINNINGS.iter().any(begins) {
            shown.push_str("[hidden]");
        } else {
            shown.push_str(word);
        }
        let between = after.find(is_of_word).unwrap_or(after.len());
        let (between, after) = after.split_at(between);
        let name = word.to_ascii_lowercase();
        is_value = between.contains([':', '=']) && NAMES.iter().any(|it| name.ends_with(it));
        shown.extend(between.chars().filter(|letter| !letter.is_control()));
        rest = after;
    }
    if shown.chars().count() > MOST_LETTERS {
        shown = shown.chars().take(MOST_LETTERS).chain(['…']).collect();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_token_is_hidden() {
        for (said, shown) in [
            (
                "error: no such file `a/b`\nmore",
                "error: no such file `a/b`",
            ),
            (
                "\n  bearer eyJhbGciOi.e30.x: refused",
                "bearer [hidden] refused",
            ),
            (
                "{\"refresh_token\":\"rtShort1\", \"OPENAI_API_KEY\" = mine}",
                "{\"refresh_token\":\"[hidden]\", \"OPENAI_API_KEY\" = [hidden]}",
            ),
            (
                "the refresh_token was used: sign in",
                "the refresh_token was used: sign in",
            ),
            (
                "Authorization: Bearer ab/cd== here",
                "Authorization: Bearer [hidden] here",
            ),
            ("key: sk-abc rt_1 at-2", "key: [hidden] [hidden] [hidden]"),
            (
                "body={\"t\":\"0123456789abcdef0123456789abcdef\"}",
                "body={\"t\":\"[hidden]\"}",
            ),
            ("sk- at- rt_", "sk- at- rt_"),
            ("a\u{1b}[31mred", "a[31mred"),
        ] {
            assert_eq!(first_line(said), shown);
        }
        assert_eq!(last_line("one\ntwo \n\n"), "two");
        assert_eq!(
            first_line(&"word ".repeat(100)).chars().count(),
            MOST_LETTERS + 1
        );
        assert_eq!(first_line(""), "");
    }
}
