//! Sorting ranks by their digits, least significant first: the universe is known, so few passes do.

use crate::kernel::budget::{BULK_POLL, Limits, StopCause};

const DIGIT_BITS: u32 = 11;
/// Below this a comparison sort is faster than counting digits.
const FEW: usize = 512;

/// Sorts ranks below `universe`. `scratch` is memory to work in, kept for the next time.
pub(super) fn sort(
    ranks: &mut Vec<u32>,
    scratch: &mut Vec<u32>,
    universe: u32,
    limits: Limits<'_>,
) -> Result<(), StopCause> {
    if ranks.len() < FEW {
        ranks.sort_unstable();
        return Ok(());
    }
    scratch.resize(ranks.len(), 0);
    let bits = u32::BITS - universe.leading_zeros();
    for shift in (0..bits).step_by(DIGIT_BITS as usize) {
        let digit = |rank: u32| (rank >> shift & ((1 << DIGIT_BITS) - 1)) as usize;
        let mut places = [0u32; 1 << DIGIT_BITS];
        for portion in ranks.chunks(BULK_POLL) {
            limits.look()?;
            portion.iter().for_each(|rank| places[digit(*rank)] += 1);
        }
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for portion in ranks.chunks(BULK_POLL) {
            limits.look()?;
            for rank in portion {
                let place = &mut places[digit(*rank)];
                scratch[*place as usize] = *rank;
                *place += 1;
            }
        }
        std::mem::swap(ranks, scratch);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Control;
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
            let control = Control::default();
            let limits = Limits { control: &control, memory_bytes: u64::MAX };
            prop_assert!(sort(&mut ranks, &mut Vec::new(), universe, limits).is_ok());
            prop_assert_eq!(ranks, expected);
        }
    }
}
