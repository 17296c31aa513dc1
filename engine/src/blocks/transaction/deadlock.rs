//! Deadlocks: a circle of clients each of which waits for the next.

/// A circle through `from`, beginning with it, if there is one. `waits_for` adds those whom a client waits for, none where it does
/// not wait.
pub(crate) fn circle(
    from: u32,
    clients: usize,
    mut waits_for: impl FnMut(u32, &mut Vec<u32>),
) -> Option<Vec<u32>> {
    let mut seen = vec![false; clients];
    let mut next = Vec::new();
    waits_for(from, &mut next);
    // A path, and what is left to try at each of its places.
    let mut path = vec![from];
    let mut open = vec![next];
    while let Some(choices) = open.last_mut() {
        match choices.pop() {
            Some(client) if client == from => return Some(path),
            Some(client) if seen[client as usize] => {}
            Some(client) => {
                seen[client as usize] = true;
                let mut next = Vec::new();
                waits_for(client, &mut next);
                path.push(client);
                open.push(next);
            }
            None => {
                open.pop();
                path.pop();
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A circle is found exactly where one can get back to where one began, and it is one.
        #[test]
        fn a_circle_is_found_where_there_is_one(edges in prop::collection::vec((0u32..8, 0u32..8), 0..24)) {
            let edges: Vec<(u32, u32)> = edges.into_iter().filter(|(from, to)| from != to).collect();
            let waits_for = |client: u32, found: &mut Vec<u32>| {
                found.extend(edges.iter().filter(|(from, _)| *from == client).map(|(_, to)| *to));
            };
            let mut reached: Vec<bool> = (0..8).map(|client| edges.contains(&(0, client))).collect();
            for _ in 0..8 {
                for (from, to) in &edges {
                    reached[*to as usize] |= reached[*from as usize];
                }
            }
            let found = circle(0, 8, waits_for);
            prop_assert_eq!(found.is_some(), reached[0]);
            if let Some(path) = found {
                let next = path.iter().skip(1).chain(&path[..1]);
                prop_assert!(path.iter().zip(next).all(|(from, to)| edges.contains(&(*from, *to))));
            }
        }
    }
}
