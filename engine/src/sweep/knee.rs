//! Where more stops paying: the knee of a curve.

/// How much a curve must bend, in mean distances between its points (Kneedle's S).
const SENSITIVITY: f64 = 1.0;
/// Points of the shortest curve that can have one.
const FEWEST: usize = 4;

/// The position of the knee of a curve that rises and flattens, after Kneedle (Satopää, Albrecht, Irwin, Raghavan, "Finding a
/// 'Kneedle' in a Haystack", 2011): on the curve scaled to the unit square, the point furthest above the diagonal, if it lies
/// above by more than the mean distance between points. Absent for curves that do not rise, rise straight or get steeper, and for
/// fewer than four points.
///
/// What comes after the highest point counts as high as it: a curve that falls again has its knee before its peak or there. `x`
/// ascends; both are finite.
pub fn knee(x: &[f64], y: &[f64]) -> Option<usize> {
    let points = x.len().min(y.len());
    if points < FEWEST {
        return None;
    }
    let highest_so_far = |high: &mut f64, y: &f64| {
        *high = high.max(*y);
        Some(*high)
    };
    let y: Vec<f64> = y[..points].iter().scan(f64::NEG_INFINITY, highest_so_far).collect();
    let (width, height) = (x[points - 1] - x[0], y[points - 1] - y[0]);
    if width <= 0.0 || height <= 0.0 {
        return None;
    }
    let above = |point: usize| (y[point] - y[0]) / height - (x[point] - x[0]) / width;
    // The first of several.
    let furthest = (0..points).rev().max_by(|a, b| above(*a).total_cmp(&above(*b)))?;
    (above(furthest) > SENSITIVITY / (points - 1) as f64).then_some(furthest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of the paper's figure 2: y = 5 - 1/x on ten points has its knee at x = 0.22.
    #[test]
    fn the_papers_example_has_its_knee() {
        let x: Vec<f64> = (0..10).map(|i| f64::from(i) / 9.0).collect();
        let y: Vec<f64> = x.iter().map(|x| 5.0 - 1.0 / (x + 0.1)).collect();
        assert_eq!(knee(&x, &y), Some(2));
    }

    #[test]
    fn a_corner_is_the_knee_and_what_has_none_has_none() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let corner: Vec<f64> = x.iter().map(|x| x.min(6.0)).collect();
        let falling: Vec<f64> = x.iter().map(|x| x.min(6.0) - (x - 6.0).max(0.0) * 0.1).collect();
        assert_eq!((knee(&x, &corner), knee(&x, &falling)), (Some(6), Some(6)));
        let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
        for none in [x.clone(), squares, vec![1.0; 20], x.iter().map(|x| -x).collect()] {
            assert_eq!(knee(&x, &none), None);
        }
        assert_eq!(knee(&x[..3], &corner[..3]), None);
        assert_eq!(knee(&[], &[]), None);
    }

    #[test]
    fn a_curve_that_falls_again_has_its_knee_before_the_peak() {
        let x: Vec<f64> = (1..=40).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| x / (10.0 + x + x * x / 40.0)).collect();
        let peak = (0..40).max_by(|a, b| y[*a].total_cmp(&y[*b])).unwrap();
        let found = knee(&x, &y).unwrap();
        assert!(found > 0 && found < peak, "{found} {peak}");
    }

    proptest! {
        /// Scaling and shifting either axis moves no knee, and a knee lies above the chord.
        #[test]
        fn a_knee_is_a_matter_of_shape(
            steps in prop::collection::vec((0.1f64..5.0, 0.0f64..5.0), 2..30), scale in 0.1f64..100.0,
        ) {
            let (mut x, mut y) = (vec![0.0], vec![0.0]);
            for (run, rise) in steps {
                x.push(x[x.len() - 1] + run);
                y.push(y[y.len() - 1] + rise);
            }
            let found = knee(&x, &y);
            let moved: Vec<f64> = y.iter().map(|y| y * scale).collect();
            prop_assert_eq!(found, knee(&x, &moved));
            if let Some(found) = found {
                prop_assert!(y[found] > x[found] / x[x.len() - 1] * y[y.len() - 1] - 1e-9);
            }
        }
    }
}
