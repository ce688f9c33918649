//! The national holidays of Japan (国民の祝日), computed from the law's rules.
//!
//! The Act on National Holidays (昭和23年法律第178号) as it stands since 2007: fixed days, "happy Mondays", the
//! equinoxes, the substitute for a holiday on a Sunday (Article 3 (2)) and the day between two holidays (Article 3
//! (3)), with the years in which special acts moved days: 2019 (the enthronement) and 2020 and 2021 (the Olympic
//! games). The cabinet announces the equinoxes a year ahead from astronomy; the formula here agrees with all of its
//! announcements and holds from 1980 to 2099. Years before 2007 follow the rules of 2007, which is not history.
//! A change of the law is a change of this file; until then an operator names the days as closed in the calendar.

use crate::time::JstDate;

/// Why a day is a national holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holiday {
    /// A day that the law names.
    Named(&'static str),
    /// The day after a holiday on a Sunday, or the first thereafter that is none itself (振替休日).
    Substitute,
    /// A day between two holidays (国民の休日).
    Between,
}

impl Holiday {
    /// The name in Japanese.
    #[must_use]
    pub const fn name_ja(self) -> &'static str {
        match self {
            Self::Named(name) => name,
            Self::Substitute => "振替休日",
            Self::Between => "国民の休日",
        }
    }
}

/// Why `day` is a national holiday, if it is one.
#[must_use]
pub fn holiday(day: JstDate) -> Option<Holiday> {
    if let Some(name) = named(day) {
        return Some(Holiday::Named(name));
    }
    // Back over the holidays right before: one of them on a Sunday moves to here.
    let before = (1..=7).map(|days| day.plus_days(-days));
    let mut run = before.take_while(|earlier| named(*earlier).is_some());
    if run.any(|earlier| earlier.weekday() == 7) {
        return Some(Holiday::Substitute);
    }
    let between = named(day.plus_days(-1)).is_some() && named(day.plus_days(1)).is_some();
    between.then_some(Holiday::Between)
}

/// The name of a day that Article 2 or a special act names.
fn named(day: JstDate) -> Option<&'static str> {
    let (year, month, date) = day.parts();
    let monday = |nth: i8| day.weekday() == 1 && (date - 1) / 7 + 1 == nth;
    let olympic = |of_2020: i8, of_2021: i8| match year {
        2020 => date == of_2020,
        _ => date == of_2021,
    };
    let moved = matches!(year, 2020 | 2021);
    let name = match month {
        1 if date == 1 => "元日",
        1 if monday(2) => "成人の日",
        2 if date == 11 => "建国記念の日",
        2 if date == 23 && year >= 2020 => "天皇誕生日",
        3 if date == vernal_equinox(year) => "春分の日",
        4 if date == 29 => "昭和の日",
        5 if date == 1 && year == 2019 => "即位の日",
        5 if date == 3 => "憲法記念日",
        5 if date == 4 => "みどりの日",
        5 if date == 5 => "こどもの日",
        7 if moved && olympic(23, 22) => "海の日",
        7 if moved && olympic(24, 23) => "スポーツの日",
        7 if !moved && monday(3) => "海の日",
        8 if moved && olympic(10, 8) => "山の日",
        8 if !moved && year >= 2016 && date == 11 => "山の日",
        9 if monday(3) => "敬老の日",
        9 if date == autumnal_equinox(year) => "秋分の日",
        10 if !moved && monday(2) && year >= 2020 => "スポーツの日",
        10 if !moved && monday(2) => "体育の日",
        10 if date == 22 && year == 2019 => "即位礼正殿の儀の行われる日",
        11 if date == 3 => "文化の日",
        11 if date == 23 => "勤労感謝の日",
        12 if date == 23 && year <= 2018 => "天皇誕生日",
        _ => return None,
    };
    Some(name)
}

fn vernal_equinox(year: i16) -> i8 {
    equinox(year, 20_843_100)
}

fn autumnal_equinox(year: i16) -> i8 {
    equinox(year, 23_248_800)
}

/// The day of the month, from millionths of a day in 1980 and the drift of the leap years.
fn equinox(year: i16, of_1980: i32) -> i8 {
    let years = i32::from(year) - 1980;
    let day = (of_1980 + 242_194 * years).div_euclid(1_000_000) - years.div_euclid(4);
    i8::try_from(day).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The holidays of years as the Cabinet Office published them, Sundays included.
    const PUBLISHED: [(i16, &str); 9] = [
        (
            2008,
            "1-1 1-14 2-11 3-20 4-29 5-3 5-4 5-5 5-6 7-21 9-15 9-23 10-13 11-3 11-23 11-24 12-23",
        ),
        (
            2009,
            "1-1 1-12 2-11 3-20 4-29 5-3 5-4 5-5 5-6 7-20 9-21 9-22 9-23 10-12 11-3 11-23 12-23",
        ),
        (
            2010,
            "1-1 1-11 2-11 3-21 3-22 4-29 5-3 5-4 5-5 7-19 9-20 9-23 10-11 11-3 11-23 12-23",
        ),
        (
            2011,
            "1-1 1-10 2-11 3-21 4-29 5-3 5-4 5-5 7-18 9-19 9-23 10-10 11-3 11-23 12-23",
        ),
        (
            2016,
            "1-1 1-11 2-11 3-20 3-21 4-29 5-3 5-4 5-5 7-18 8-11 9-19 9-22 10-10 11-3 11-23 12-23",
        ),
        (
            2019,
            "1-1 1-14 2-11 3-21 4-29 4-30 5-1 5-2 5-3 5-4 5-5 5-6 7-15 8-11 8-12 9-16 9-23 10-14 \
             10-22 11-3 11-4 11-23",
        ),
        (
            2020,
            "1-1 1-13 2-11 2-23 2-24 3-20 4-29 5-3 5-4 5-5 5-6 7-23 7-24 8-10 9-21 9-22 11-3 11-23",
        ),
        (
            2021,
            "1-1 1-11 2-11 2-23 3-20 4-29 5-3 5-4 5-5 7-22 7-23 8-8 8-9 9-20 9-23 11-3 11-23",
        ),
        (
            2026,
            "1-1 1-12 2-11 2-23 3-20 4-29 5-3 5-4 5-5 5-6 7-20 8-11 9-21 9-22 9-23 10-12 11-3 11-23",
        ),
    ];

    fn of_year(year: i16) -> Vec<JstDate> {
        let first = JstDate::try_new(year, 1, 1).unwrap();
        let days = (0..366).map(|n| first.plus_days(n));
        days.filter(|day| day.parts().0 == year && holiday(*day).is_some())
            .collect()
    }

    #[test]
    fn the_holidays_of_known_years_are_those_that_were_published() {
        for (year, published) in PUBLISHED {
            let text: Vec<_> = of_year(year)
                .into_iter()
                .map(|day| format!("{}-{}", day.parts().1, day.parts().2))
                .collect();
            assert_eq!(text.join(" "), published, "{year}");
        }
    }

    #[test]
    fn the_kinds_of_holiday_are_told_apart() {
        let on = |text: &str| holiday(text.parse().unwrap()).map(Holiday::name_ja);
        assert_eq!(on("2008-05-06"), Some("振替休日"));
        assert_eq!(on("2009-09-22"), Some("国民の休日"));
        assert_eq!(on("2032-09-21"), Some("国民の休日"));
        assert_eq!(on("2019-04-30"), Some("国民の休日"));
        assert_eq!(on("2019-05-01"), Some("即位の日"));
        assert_eq!(on("2019-12-23"), None);
        assert_eq!(on("2020-10-12"), None);
        assert_eq!(on("2019-10-14"), Some("体育の日"));
        assert_eq!(on("2022-10-10"), Some("スポーツの日"));
    }

    #[test]
    fn the_equinoxes_move_as_announced() {
        for (year, march, september) in [
            (2008, 20, 23),
            (2011, 21, 23),
            (2012, 20, 22),
            (2016, 20, 22),
            (2024, 20, 22),
            (2027, 21, 23),
        ] {
            assert_eq!(
                (vernal_equinox(year), autumnal_equinox(year)),
                (march, september),
                "{year}"
            );
        }
    }
}
