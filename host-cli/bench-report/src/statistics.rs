//! Decides what may be said of rounds: their median and spread, and the ratio of two parties with an interval that holds
//! whatever the distribution is, or the reason why there is none.

use serde::Serialize;

/// With fewer pairs no interval of 95 % is narrower than all of them, and one disturbed round is its end.
pub const LEAST_PAIRS: usize = 9;
/// An interval whose ends are further apart than this, one divided by the other, says too little for a number.
pub const WIDEST: f64 = 1.5;
/// How sure an interval is at least.
pub const CONFIDENCE: f64 = 0.95;

/// The middle of some values, and between which two values half of them lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Summary {
    /// `None` of nothing.
    pub fn of(values: &[f64]) -> Option<Summary> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Some(Summary {
            low: quantile(&values, 0.25)?,
            median: quantile(&values, 0.5)?,
            high: quantile(&values, 0.75)?,
        })
    }
}

/// The value below which this share of the sorted values lies, interpolated between neighbours.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let (below, part) = (at.floor() as usize, at.fract());
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(low + (high - low) * part)
}

/// How many times one is the other: the median of the ratios of neighbouring rounds, and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub low: f64,
    pub median: f64,
    pub high: f64,
    pub pairs: usize,
}

/// Why there is no ratio. As JSON it is the variant's name in `why`, beside its numbers; both are for programs to rely on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Refusal {
    /// Pairs of rounds that went well on both sides.
    TooFew { pairs: usize },
    /// The ends of the interval.
    TooNoisy { low: f64, high: f64 },
}

/// The ratio of pairs `(one, other)`.
///
/// Its interval is that of the sign test: between the k-th smallest and the k-th largest ratio of pairs lies the median of
/// all possible ones, unless fewer than k of so many fair coins show heads, which has a probability that needs no
/// assumption about how rounds are distributed.
///
/// # Errors
/// Where there are too few pairs, or they are too noisy for a number to mean something.
pub fn ratio(pairs: &[(f64, f64)]) -> Result<Ratio, Refusal> {
    let mut ratios: Vec<f64> = pairs
        .iter()
        .map(|(one, other)| one / other)
        .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
        .collect();
    ratios.sort_by(f64::total_cmp);
    let pairs = ratios.len();
    let few = Refusal::TooFew { pairs };
    if pairs < LEAST_PAIRS {
        return Err(few);
    }
    let cut = cut(pairs);
    let (low, high) = (ratios[cut], ratios[pairs - 1 - cut]);
    if high / low > WIDEST {
        return Err(Refusal::TooNoisy { low, high });
    }
    let median = quantile(&ratios, 0.5).ok_or(few)?;
    Ok(Ratio {
        low,
        median,
        high,
        pairs,
    })
}

/// How many of the smallest and of the largest values lie outside the interval: as many heads as that, or fewer, have at
/// most half of the probability that is left.
fn cut(pairs: usize) -> usize {
    if pairs > 1000 {
        // The powers below would be too small for their type; so many coins are a normal distribution.
        return ((pairs as f64 / 2.0) - 1.0 - 0.98 * (pairs as f64).sqrt()) as usize;
    }
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let mut probability = 0.5_f64.powi(pairs as i32);
    let mut sum = probability;
    let mut heads = 0;
    while sum <= tail && heads < pairs / 2 {
        probability *= (pairs - heads) as f64 / (heads + 1) as f64;
        sum += probability;
        heads += 1;
    }
    // With so many it is too probable.
    heads.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_textbook() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(Summary::of(&[7.0]).map(|of| of.median), Some(7.0));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn the_interval_is_that_of_the_tables() {
        // Tables of the sign test, two-sided, 5 %: at most so many on the smaller side.
        for (pairs, tail) in [
            (9, 1),
            (12, 2),
            (15, 3),
            (20, 5),
            (25, 7),
            (30, 9),
            (50, 17),
            (100, 39),
        ] {
            assert_eq!(cut(pairs), tail, "{pairs}");
        }
        // The two ways meet.
        assert!(cut(1000).abs_diff(cut(1001)) <= 2);
    }

    #[test]
    fn a_ratio_is_of_neighbours() {
        // The computer becomes ten times slower half-way; who is twice as fast stays so.
        let pairs: Vec<_> = (0..20)
            .map(|round| if round < 10 { 1.0 } else { 10.0 })
            .map(|slow| (2.0 * slow, slow))
            .collect();
        let ratio = ratio(&pairs).expect("a ratio");
        assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 2.0, 2.0));
        assert_eq!(ratio.pairs, 20);
    }

    #[test]
    fn what_says_nothing_is_refused() {
        assert_eq!(
            ratio(&[(2.0, 1.0); 8]),
            Err(Refusal::TooFew { pairs: 8 }),
            "too few"
        );
        let noisy: Vec<_> = (0..20).map(|round| (f64::from(round + 1), 1.0)).collect();
        assert!(matches!(ratio(&noisy), Err(Refusal::TooNoisy { .. })));
        assert_eq!(
            serde_json::json!(Refusal::TooNoisy {
                low: 0.5,
                high: 2.0
            }),
            serde_json::json!({ "why": "too_noisy", "low": 0.5, "high": 2.0 })
        );
        // A clock that stood still gives no ratio.
        assert_eq!(ratio(&[(2.0, 0.0); 30]), Err(Refusal::TooFew { pairs: 0 }));
    }
}
