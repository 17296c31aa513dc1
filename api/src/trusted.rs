//! Trusted documents: what the clients of one operator send, and nothing else.

use std::{collections::HashMap, fmt};

use async_graphql::parser::{parse_query, types::ExecutableDocument};
use sha2::{Digest as _, Sha256};

use crate::auth::hex;

/// Documents by the ids that clients send for them: a JSON object as GraphQL Code Generator and the Relay compiler write it.
#[derive(Clone)]
pub struct TrustedDocuments {
    by_id: HashMap<String, ExecutableDocument>,
    /// Ids by SHA-256 of the text, for clients that send the text.
    ids: HashMap<String, String>,
}

impl TrustedDocuments {
    /// Reads the file of a build.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let texts: HashMap<String, String> =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let mut documents = Self { by_id: HashMap::new(), ids: HashMap::new() };
        for (id, text) in texts {
            let document = parse_query(&text).map_err(|_| format!("the document \"{id}\" is none"))?;
            documents.ids.insert(hash(&text), id.clone());
            documents.by_id.insert(id, document);
        }
        Ok(documents)
    }

    /// The document with this id. An id may say that it is a hash: `sha256:…`.
    pub fn by_id(&self, id: &str) -> Option<&ExecutableDocument> {
        self.by_id.get(id).or_else(|| self.by_id.get(id.strip_prefix("sha256:")?))
    }

    /// The document with exactly this text.
    pub fn by_text(&self, text: &str) -> Option<&ExecutableDocument> {
        self.by_id.get(self.ids.get(&hash(text))?)
    }
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

impl fmt::Debug for TrustedDocuments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedDocuments({})", self.by_id.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_found_by_its_id_and_by_its_text() {
        let documents = TrustedDocuments::read(br#"{"a1": "{ __typename }"}"#).unwrap();
        assert!(documents.by_id("a1").is_some() && documents.by_id("sha256:a1").is_some());
        assert!(documents.by_text("{ __typename }").is_some());
        assert!(documents.by_id("b2").is_none() && documents.by_text("{__typename}").is_none());
        for bad in ["", "[]", r#"{"a": 1}"#, r#"{"a": "{"}"#] {
            assert!(TrustedDocuments::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
