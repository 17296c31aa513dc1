//! Student's t distribution: what a confidence interval from few values needs. Quantiles are computed, for any degrees of freedom.

/// The value that |t| exceeds with probability `1 - confidence` at so many degrees of freedom: 2.776 for 0.95 and 4.
///
/// The tail is I_x(ν/2, 1/2) at x = ν/(ν+t²) (Abramowitz, Stegun 26.7.1), which falls as t grows, so bisection inverts it to the last bit.
pub fn two_sided_quantile(confidence: f64, degrees: f64) -> f64 {
    let tail = 1.0 - confidence;
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided_tail(high, degrees) > tail && high < HIGHEST {
        high *= 2.0;
    }
    // Halving a double's mantissa: nothing is left to gain after so many steps.
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if two_sided_tail(middle, degrees) > tail { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// No quantile that anybody asks for lies beyond.
const HIGHEST: f64 = 1e12;

/// Probability that |t| exceeds `t`.
pub fn two_sided_tail(t: f64, degrees: f64) -> f64 {
    incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t), t * t / (degrees + t * t))
}

/// The regularised incomplete beta function I_x(a, b); `rest` is 1 - x, stated apart because it may be tiny.
fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    let log_front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log(rest);
    let front = libm::exp(log_front);
    // The fraction converges fast on the near side of the mean alone; the other side follows by symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, x) / a
    } else {
        1.0 - front * continued_fraction(b, a, rest) / b
    }
}

/// The continued fraction of I_x (Abramowitz, Stegun 26.5.8), by Lentz's method.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let nonzero = |value: f64| if libm::fabs(value) < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    // A few dozen terms where a and b are small, about √a where they are large.
    for term in 1..10_000 {
        let m = f64::from(term);
        for coefficient in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / nonzero(1.0 + coefficient * d);
            c = nonzero(1.0 + coefficient / c);
            fraction *= c * d;
        }
        if libm::fabs(c * d - 1.0) < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, at_95, at_99) in [
            (1.0, 12.706_204_736, 63.656_741_163),
            (2.0, 4.302_652_730, 9.924_843_201),
            (4.0, 2.776_445_105, 4.604_094_871),
            (9.0, 2.262_157_163, 3.249_835_542),
            (29.0, 2.045_229_642, 2.756_385_904),
            (100.0, 1.983_971_519, 2.625_890_521),
        ] {
            for (confidence, expected) in [(0.95, at_95), (0.99, at_99)] {
                let found = two_sided_quantile(confidence, degrees);
                assert!((found - expected).abs() < 2e-8 * expected, "{degrees} {confidence}: {found}");
            }
        }
        // The normal distribution's, in the limit.
        assert!((two_sided_quantile(0.95, 1e7) - 1.959_964).abs() < 1e-5);
    }

    proptest! {
        /// With one and with two degrees of freedom the tail has a closed form.
        #[test]
        fn tails_have_their_closed_forms(t in 0.0f64..1e4) {
            let one = 1.0 - 2.0 / std::f64::consts::PI * libm::atan(t);
            let two = 1.0 - t / libm::sqrt(2.0 + t * t);
            prop_assert!((two_sided_tail(t, 1.0) - one).abs() < 1e-12);
            prop_assert!((two_sided_tail(t, 2.0) - two).abs() < 1e-12);
        }

        #[test]
        fn quantile_and_tail_undo_each_other(confidence in 0.01f64..0.999, degrees in 1u32..2_000) {
            let t = two_sided_quantile(confidence, f64::from(degrees));
            prop_assert!((two_sided_tail(t, f64::from(degrees)) - (1.0 - confidence)).abs() < 1e-10);
        }
    }
}
