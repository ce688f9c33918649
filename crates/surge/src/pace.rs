//! Examiners as a replay has them: one application after the other, at an even pace, in business hours only.

use lgpki_domain::{
    BusinessCalendar, Timestamp,
    estimate::{Capacity, Estimator},
};

/// How far the examiners are.
#[derive(Clone, Debug)]
pub struct Pace<'c> {
    calendar: &'c BusinessCalendar,
    estimator: Estimator<'c>,
    /// Since when they have been busy, and how many they have examined since: a sum of rounded times would run away
    /// from the capacity.
    busy: Option<(Timestamp, u64)>,
    /// When they were through with the last.
    free: Timestamp,
}

impl<'c> Pace<'c> {
    /// Nothing waits yet.
    #[must_use]
    pub const fn new(calendar: &'c BusinessCalendar, capacity: Capacity) -> Self {
        Self {
            calendar,
            estimator: Estimator::new(calendar, capacity),
            busy: None,
            free: Timestamp::from_millis(i64::MIN),
        }
    }

    /// Something waits from `now` on, whether or not something did before.
    pub fn begin(&mut self, now: Timestamp) {
        let since = self.free.max(now);
        self.busy.get_or_insert((since, 0));
    }

    /// How many of those `waiting` have been examined between the last call and `now`.
    pub fn examined(&mut self, now: Timestamp, waiting: u64) -> u64 {
        let mut examined = 0;
        while examined < waiting && self.next().is_some_and(|next| next <= now) {
            self.free = self.next().unwrap_or(self.free);
            if let Some((_, since_then)) = &mut self.busy {
                *since_then += 1;
            }
            examined += 1;
        }
        if examined == waiting {
            self.busy = None;
        }
        examined
    }

    /// When the next one will have been examined, while something waits.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let (since, examined) = self.busy?;
        let work = self.estimator.work(examined + 1);
        Some(self.calendar.after(since, work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_room_for_its_capacity_and_the_night_for_none() {
        let calendar = BusinessCalendar::default();
        let capacity = Capacity::try_new(80, 100).unwrap();
        let mut pace = Pace::new(&calendar, capacity);
        let at = |text: &str| {
            format!("{text}:00+09:00")
                .parse::<Timestamp>()
                .unwrap_or(Timestamp::from_millis(0))
        };
        assert_eq!(pace.next(), None);
        assert_eq!(pace.examined(at("2011-02-10T12:00"), 0), 0);
        // Thursday evening; Friday is a holiday.
        pace.begin(at("2011-02-10T18:00"));
        pace.begin(at("2011-02-10T19:00"));
        assert_eq!(pace.next(), Some(at("2011-02-14T09:06")));
        assert_eq!(pace.examined(at("2011-02-14T09:00"), 200), 0);
        assert_eq!(pace.examined(at("2011-02-14T13:00"), 200), 40);
        assert_eq!(pace.examined(at("2011-02-15T08:00"), 160), 40);
        assert_eq!(pace.examined(at("2011-02-15T09:30"), 3), 3);
        assert_eq!(pace.next(), None);
        // Busy until 09:18: what comes at 09:12 is begun then, what comes later at once.
        pace.begin(at("2011-02-15T09:12"));
        assert_eq!(pace.next(), Some(at("2011-02-15T09:24")));
        assert_eq!(pace.examined(at("2011-02-15T09:24"), 1), 1);
        pace.begin(at("2011-02-15T10:00"));
        assert_eq!(pace.next(), Some(at("2011-02-15T10:06")));
    }
}
