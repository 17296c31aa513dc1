//! Figures over virtual time, in buckets of 100 ms. A very long run doubles the bucket until they are few enough.

use super::histogram::Latencies;
use crate::report::Series;
use crate::units::{NS_PER_SECOND, ns_to_seconds};

const INTERVAL_NS: u64 = NS_PER_SECOND / 10;
/// Most buckets of a run.
const MAX_BUCKETS: usize = 2_000;

/// One figure's course.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) name: &'static str,
    pub(crate) unit: Option<&'static str>,
    pub(crate) block_id: Option<String>,
    /// How two neighbouring buckets become one.
    pub(crate) join: Join,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    Sum,
    Mean,
    /// Percentiles of a joined bucket are not known; the larger of the two is an upper bound.
    Max,
}

/// Collects a bucket after the other.
#[derive(Debug)]
pub(crate) struct Sampler {
    interval_ns: u64,
    next_ns: u64,
    courses: Vec<Course>,
    values: Vec<Vec<Option<f64>>>,
    /// Values at the start of the bucket of every ever-growing counter the courses use.
    counters: Vec<u64>,
    latencies: Latencies,
}

impl Sampler {
    pub(crate) fn new(courses: Vec<Course>, counters: usize) -> Self {
        Self {
            interval_ns: INTERVAL_NS,
            next_ns: INTERVAL_NS,
            values: vec![Vec::new(); courses.len()],
            courses,
            counters: vec![0; counters],
            latencies: Latencies::new(2),
        }
    }

    /// End of the bucket that is open.
    #[inline]
    pub(crate) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    #[inline]
    pub(crate) fn record(&mut self, latency_ns: u64) {
        self.latencies.record(latency_ns);
    }

    pub(crate) fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// What a counter grew by since the bucket began; its new value becomes the start of the next.
    pub(crate) fn growth(&mut self, counter: usize, now: u64) -> u64 {
        now - std::mem::replace(&mut self.counters[counter], now)
    }

    pub(crate) fn interval_ns(&self) -> u64 {
        self.interval_ns
    }

    /// Closes the open bucket with one value a course.
    pub(crate) fn close(&mut self, bucket: Vec<Option<f64>>) {
        for (values, value) in self.values.iter_mut().zip(bucket) {
            values.push(value);
        }
        self.latencies.reset();
        self.next_ns += self.interval_ns;
        if self.values.first().is_some_and(|values| values.len() >= MAX_BUCKETS) {
            self.coarsen();
        }
    }

    /// Joins buckets in pairs. There is an even number of them.
    fn coarsen(&mut self) {
        for (course, values) in self.courses.iter().zip(&mut self.values) {
            let join = |pair: &[Option<f64>]| match (pair[0], pair[1]) {
                (Some(a), Some(b)) => Some(match course.join {
                    Join::Sum => a + b,
                    Join::Mean => (a + b) / 2.0,
                    Join::Max => a.max(b),
                }),
                (a, b) => a.or(b),
            };
            *values = values.chunks_exact(2).map(join).collect();
        }
        self.interval_ns *= 2;
        let buckets = self.values.first().map_or(0, Vec::len) as u64;
        self.next_ns = (buckets + 1) * self.interval_ns;
    }

    /// Whether buckets are wider than 100 ms.
    pub(crate) fn coarsened_seconds(&self) -> Option<f64> {
        (self.interval_ns > INTERVAL_NS).then(|| ns_to_seconds(self.interval_ns))
    }

    pub(crate) fn into_series(self) -> Vec<Series> {
        self.courses
            .into_iter()
            .zip(self.values)
            .map(|(course, values)| Series {
                name: course.name.to_owned(),
                unit: course.unit.map(str::to_owned),
                block_id: course.block_id,
                interval_ns: self.interval_ns,
                values,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_get_wider_buckets_and_keep_their_sums() {
        let course = |join| Course { name: "x", unit: None, block_id: None, join };
        let mut sampler = Sampler::new(vec![course(Join::Sum), course(Join::Mean)], 0);
        for bucket in 0..MAX_BUCKETS * 3 {
            assert_eq!(sampler.next_ns() % sampler.interval_ns(), 0);
            let width = sampler.interval_ns() as f64 / INTERVAL_NS as f64;
            sampler.close(vec![Some(width), (bucket % 2 == 0).then_some(1.0)]);
        }
        let end_ns = sampler.next_ns() - sampler.interval_ns();
        let series = sampler.into_series();
        assert!(series[0].values.len() < MAX_BUCKETS);
        let sum: f64 = series[0].values.iter().flatten().sum();
        assert_eq!(sum, end_ns as f64 / INTERVAL_NS as f64);
        assert!(series[1].values.iter().flatten().all(|value| *value == 1.0));
    }
}
