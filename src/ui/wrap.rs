//! Prose that fits a terminal: broken between words, each further line indented.

use unicode_width::UnicodeWidthStr;

/// `text` behind what already stands on its first line, which takes `taken` columns; each further line begins with `indent`
/// blanks. A word that has no room anywhere stands alone, and the terminal breaks it; the first one too begins a line where
/// it gains room by that. Where nobody knows the width, all of it is one line.
pub fn wrapped(text: &str, taken: usize, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut lines = String::new();
    let (mut at, mut is_first) = (taken, true);
    for word in text.split(' ') {
        let needed = word.width();
        let is_moved = if is_first {
            at + needed > width && indent < at && !word.is_empty()
        } else {
            at + 1 + needed > width
        };
        if is_moved {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            at = indent;
        } else if !is_first {
            lines.push(' ');
            at += 1;
        }
        lines.push_str(word);
        at += needed;
        is_first = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_to_the_next_line_and_long_ones_stand_alone() {
        let text = "one アリス three a-word-that-has-no-room four";
        assert_eq!(wrapped(text, 4, 2, None), text);
        assert_eq!(
            wrapped(text, 4, 2, Some(14)),
            "one アリス\n  three\n  a-word-that-has-no-room\n  four"
        );
        assert_eq!(wrapped("", 4, 2, Some(3)), "");
        assert_eq!(wrapped("longer one", 4, 2, Some(9)), "\n  longer\n  one");
        assert_eq!(wrapped("longer one", 2, 2, Some(7)), "longer\n  one");
    }
}
