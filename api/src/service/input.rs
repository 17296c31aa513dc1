//! Rules for fields that many inputs share. Every broken rule is collected, not just the first.

use serde_json::Value as Json;

use super::{ServiceError, UserError};

const NAME_CHARACTERS: usize = 255;
const TEXT_CHARACTERS: usize = 5_000;
const KEY_CHARACTERS: usize = 255;

/// Collects the mistakes of an input.
#[derive(Default)]
pub struct Mistakes(Vec<UserError>);

impl Mistakes {
    pub fn add(&mut self, error: UserError) {
        self.0.push(error);
    }

    /// Adds a mistake unless the rule holds.
    pub fn check(&mut self, holds: bool, path: &[&str], message: impl FnOnce() -> String) {
        if !holds {
            self.add(UserError::invalid(path, message()));
        }
    }

    /// # Errors
    /// All the mistakes, if there are any.
    pub fn none(self) -> Result<(), ServiceError> {
        if self.0.is_empty() { Ok(()) } else { Err(ServiceError::User(self.0)) }
    }

    /// A name: 1 to 255 characters, not only blanks, without control characters. Returned without blanks around it.
    pub fn name(&mut self, value: &str) -> String {
        let name = value.trim();
        let length = name.chars().count();
        self.check((1..=NAME_CHARACTERS).contains(&length), &["name"], || {
            format!("name must have 1 to {NAME_CHARACTERS} characters, blanks around it not counted; it has {length}")
        });
        self.check(!name.chars().any(char::is_control), &["name"], || {
            "name must not contain control characters".into()
        });
        name.to_owned()
    }

    /// A description: up to 5,000 characters.
    pub fn description(&mut self, value: Option<&str>) {
        self.text("description", value);
    }

    /// Free text: up to 5,000 characters.
    pub fn text(&mut self, field: &str, value: Option<&str>) {
        let length = value.map_or(0, |text| text.chars().count());
        self.check(length <= TEXT_CHARACTERS, &[field], || {
            format!("{field} must have at most {TEXT_CHARACTERS} characters; it has {length}")
        });
    }

    /// A word that the database keeps as it is: 1 to `most` characters, none of them NUL, which PostgreSQL has no place for.
    pub fn word(&mut self, path: &[&str], value: &str, most: usize) {
        let length = value.chars().count();
        let name = path.last().copied().unwrap_or("the value");
        self.check((1..=most).contains(&length) && !value.contains('\0'), path, || {
            format!("{name} must have 1 to {most} characters, none of them NUL; it has {length}")
        });
    }

    /// A document without NUL in its texts, which PostgreSQL has no place for.
    pub fn document(&mut self, path: &[&str], value: &Json) {
        let name = path.last().copied().unwrap_or("the value");
        self.check(!holds_nul(value), path, || format!("{name} must not contain the character NUL"));
    }

    /// An idempotency key: 1 to 255 characters.
    pub fn idempotency_key(&mut self, value: &str) {
        let length = value.chars().count();
        self.check((1..=KEY_CHARACTERS).contains(&length), &["idempotencyKey"], || {
            format!("idempotencyKey must have 1 to {KEY_CHARACTERS} characters; it has {length}")
        });
    }
}

fn holds_nul(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(holds_nul),
        Json::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(check: impl FnOnce(&mut Mistakes)) -> usize {
        let mut mistakes = Mistakes::default();
        check(&mut mistakes);
        mistakes.0.len()
    }

    #[test]
    fn a_name_is_measured_in_characters_without_the_blanks_around_it() {
        assert_eq!(count(|m| assert_eq!(m.name("  Heap  "), "Heap")), 0);
        assert_eq!(count(|m| drop(m.name(&"ü".repeat(255)))), 0);
        assert_eq!(count(|m| drop(m.name(&"u".repeat(256)))), 1);
        assert_eq!(count(|m| drop(m.name("   "))), 1);
        assert_eq!(count(|m| drop(m.name("a\u{7}b"))), 1);
    }
}
