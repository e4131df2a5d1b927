//! Whose panel it is: the email, plan and workspace it prints, as far as they are whole.

use super::rows::{Kind, Panel, Row, squeezed};

/// Whose panel it is.
#[derive(Default)]
pub(super) struct Whose {
    /// None where it is not printed, or not whole.
    pub email: Option<String>,
    /// The plan's label as printed.
    pub plan: Option<String>,
    /// The id of the ChatGPT workspace.
    pub workspace_id: Option<String>,
}

impl Whose {
    /// From the panel's account and workspace rows.
    pub(super) fn of(panel: &Panel) -> Self {
        let mut whose = panel
            .rows
            .iter()
            .find(|row| row.kind == Kind::Account)
            .map(Self::of_account)
            .unwrap_or_default();
        whose.workspace_id = panel
            .rows
            .iter()
            .find(|row| row.kind == Kind::Workspace)
            .and_then(workspace_id);
        whose
    }

    /// From `email (Plan)`, `email`, `Plan`, `ChatGPT`, or the words for an API key.
    fn of_account(row: &Row) -> Self {
        let value = row.value();
        if is_api_key(&value) {
            return Self::default();
        }
        // An email too long for its column is broken anywhere, so its pieces belong together without a space.
        let mut head = String::new();
        let mut tail = String::new();
        for piece in &row.pieces {
            if tail.is_empty() {
                let (before, after) = piece.split_at(piece.find('(').unwrap_or(piece.len()));
                head.push_str(before.trim());
                after.clone_into(&mut tail);
            } else {
                tail.push(' ');
                tail.push_str(piece);
            }
        }
        let (email, plan) = if head.contains('@') {
            (is_email(&head).then_some(head), inside_parentheses(&tail))
        } else if head.eq_ignore_ascii_case("chatgpt") {
            (None, inside_parentheses(&tail))
        } else {
            (None, Some(value))
        };
        Self {
            email,
            plan: plan.filter(|plan| plan.starts_with(char::is_alphanumeric)),
            workspace_id: None,
        }
    }

    /// Whether this is another account for certain.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        let differ = |one: &Option<String>, two: &Option<String>| match (one, two) {
            (Some(one), Some(two)) => !one.eq_ignore_ascii_case(two),
            _ => false,
        };
        differ(&self.email, &other.email) || differ(&self.workspace_id, &other.workspace_id)
    }
}

/// Whether the account row tells of an API key in place of an account.
pub(super) fn is_api_key(account: &str) -> bool {
    squeezed(account).starts_with("apikey")
}

fn is_email(text: &str) -> bool {
    let plain =
        |c: char| c.is_alphanumeric() || (c.is_ascii_graphic() && !"@()<>,;:\"[]\\".contains(c));
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.chars().all(plain)
            && domain.chars().all(plain)
            && domain.starts_with(char::is_alphanumeric)
            && domain.ends_with(char::is_alphanumeric)
    })
}

/// What stands in the parentheses that `text` opens with; they may hold others.
fn inside_parentheses(text: &str) -> Option<String> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(1..at).map(|inside| inside.trim().to_owned()),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The id in `Acme Corp (<id>)` or `<id>`, which narrow panels break anywhere.
fn workspace_id(row: &Row) -> Option<String> {
    let value = row.value();
    let id = match value.rsplit_once('(') {
        Some((_, last)) => last.strip_suffix(')')?.to_owned(),
        None if row.pieces.iter().any(|piece| piece.contains(' ')) => return None,
        None => row.pieces.concat(),
    };
    let id: String = id.chars().filter(|c| !c.is_whitespace()).collect();
    // A name without an id is none: ids have digits.
    (id.contains(|c: char| c.is_ascii_digit())
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        && !id.ends_with('-'))
    .then_some(id)
}
