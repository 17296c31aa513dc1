//! Sorting ranks by their digits, least significant first: the universe is known, so few passes do.

const DIGIT_BITS: u32 = 11;
/// Below this a comparison sort is faster than counting digits.
const FEW: usize = 512;

/// Sorts ranks below `universe`. `scratch` is memory to work in, kept for the next time.
pub(super) fn sort(ranks: &mut Vec<u32>, scratch: &mut Vec<u32>, universe: u32) {
    if ranks.len() < FEW {
        ranks.sort_unstable();
        return;
    }
    scratch.resize(ranks.len(), 0);
    let bits = u32::BITS - universe.leading_zeros();
    for shift in (0..bits).step_by(DIGIT_BITS as usize) {
        let digit = |rank: u32| (rank >> shift & ((1 << DIGIT_BITS) - 1)) as usize;
        let mut places = [0u32; 1 << DIGIT_BITS];
        ranks.iter().for_each(|rank| places[digit(*rank)] += 1);
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for rank in ranks.iter() {
            let place = &mut places[digit(*rank)];
            scratch[*place as usize] = *rank;
            *place += 1;
        }
        std::mem::swap(ranks, scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_as_a_comparison_sort_does(
            universe in prop::sample::select(vec![1u32, 2, 2_048, 2_049, 5_000_000, u32::MAX]),
            draws in prop::collection::vec(any::<u32>(), 0..2_000),
        ) {
            let mut ranks: Vec<u32> = draws.into_iter().map(|draw| draw % universe).collect();
            let mut expected = ranks.clone();
            expected.sort_unstable();
            sort(&mut ranks, &mut Vec::new(), universe);
            prop_assert_eq!(ranks, expected);
        }
    }
}
