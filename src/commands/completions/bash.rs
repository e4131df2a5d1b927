//! What bash is told. It breaks words at `@`, `:` and `=`, and exchanges only what stands behind the last of them; and it
//! takes each answer as it is to stand on the line. Pure, but for what is offered.

use super::offered;
use super::values::Offer;

/// The answer to `[TEXT, LINE]`: what bash would exchange, and the line up to there. A line for each word, as it is to be
/// typed; or `:dirs` or `:files`.
pub fn answer(asked: &[String]) -> String {
    let [text, line] = asked else {
        return String::new();
    };
    let (mut words, quote) = split(line);
    let word = words.pop().unwrap_or_default();
    let (text, _) = split(text);
    let text = text.concat();
    // What of the word bash leaves as it is.
    let kept = word.strip_suffix(text.as_str()).unwrap_or_default();
    let (before, offer) = offered(&words, &word, false);
    match offer {
        Offer::Paths { dirs: true, .. } => ":dirs\n".to_owned(),
        Offer::Paths { dirs: false, .. } => ":files\n".to_owned(),
        Offer::Words(words) => words
            .iter()
            .filter_map(|one| {
                let whole = format!("{before}{}", one.value);
                let end = if one.goes_on { "" } else { " " };
                let typed = quoted(whole.strip_prefix(kept)?, quote);
                // In quotes bash closes them, and goes on behind.
                let end = if quote.is_some() { "" } else { end };
                Some(format!("{typed}{end}\n"))
            })
            .collect(),
    }
}

/// The words of a line without their quotes, the last of them empty where the line ends between two; and the quote that is
/// open at its end.
fn split(line: &str) -> (Vec<String>, Option<char>) {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut is_begun = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let word = words.last_mut();
        let Some(word) = word else { break };
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('"'), '\\') if letters.peek().is_some_and(|next| "\\\"$`".contains(*next)) => {
                word.extend(letters.next());
            }
            (None, '\\') => {
                is_begun = true;
                word.extend(letters.next());
            }
            (None, '\'' | '"') => {
                is_begun = true;
                quote = Some(letter);
            }
            (None, ' ' | '\t' | '\n') => {
                if is_begun || !word.is_empty() {
                    words.push(String::new());
                }
                is_begun = false;
            }
            _ => word.push(letter),
        }
    }
    (words, quote)
}

/// `text` as it is typed, behind an open quote or none.
fn quoted(text: &str, quote: Option<char>) -> String {
    let mut typed = String::with_capacity(text.len());
    for (place, letter) in text.chars().enumerate() {
        match quote {
            Some('\'') if letter == '\'' => typed.push_str("'\\''"),
            // In these quotes a history's mark is one whatever stands before it, and a `\` there stays.
            Some('"') if letter == '!' => typed.push_str("\"\\!\""),
            Some('"') if "\\\"$`".contains(letter) => typed.extend(['\\', letter]),
            Some(_) => typed.push(letter),
            None => {
                let is_plain = letter.is_alphanumeric()
                    || "@%+=:,./_-^".contains(letter)
                    || (place > 0 && "~#".contains(letter));
                if !is_plain {
                    typed.push('\\');
                }
                typed.push(letter);
            }
        }
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_bash_does() {
        for (line, words, quote) in [
            ("", &[""][..], None),
            ("cm use alice@exa", &["cm", "use", "alice@exa"], None),
            ("cm use  ", &["cm", "use", ""], None),
            ("cm  '' \"a b\"c", &["cm", "", "a bc"], None),
            ("cm o\\'b\\ r", &["cm", "o'b r"], None),
            ("cm 'a \\ b", &["cm", "a \\ b"], Some('\'')),
            ("cm --x=\"a\\\"\\n", &["cm", "--x=a\"\\n"], Some('"')),
            ("cm \\", &["cm", ""], None),
        ] {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(split(line), (words, quote), "{line}");
        }
    }

    #[test]
    fn what_is_typed_is_read_back() {
        for text in ["alice@example.com", "o'b r$x`\\\"!", "~a", "a~1#b", "é日本"] {
            for quote in [None, Some('\''), Some('"')] {
                let open = quote.map(String::from).unwrap_or_default();
                let typed = format!("{open}{}{open}", quoted(text, quote));
                assert_eq!(split(&typed), (vec![text.to_owned()], None), "{typed}");
            }
        }
        assert_eq!(quoted("o'b ~", None), "o\\'b\\ ~");
        assert_eq!(quoted("a!b", None), "a\\!b");
        assert_eq!(quoted("a!b", Some('\'')), "a!b");
        assert_eq!(quoted("a!b", Some('"')), "a\"\\!\"b");
    }
}
