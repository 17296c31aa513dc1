//! "Did you mean …": the known name closest to a misspelt one.

/// The candidate within two edits (or a third of the word) of `word`, the first of the closest.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names are short; an overlong word is not a misspelling of any of them.
    if word.len() > 64 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= 2.max(candidate.len() / 3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// A sentence to append to a message about an unknown name: the nearest name, or all of them.
pub(crate) fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(word, candidates.clone()) {
        return format!("did you mean \"{name}\"?");
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    if all.is_empty() { "there are none".to_owned() } else { format!("known are: {}", all.join(", ")) }
}

/// Levenshtein distance, one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_misspelt_name_and_leaves_a_stranger_alone() {
        assert_eq!(nearest("fil_factor", ["page_size", "fill_factor"]), Some("fill_factor"));
        assert_eq!(nearest("capacity", ["page_size", "fill_factor"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
