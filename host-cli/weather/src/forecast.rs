//! Decides what `/v1/forecast` answers: the shape is Open-Meteo's, as its documentation and recorded answers show it; the
//! weather is made up from latitude, day and hour.
//!
//! What the real service has and this one has not (daily values, other units, several places) is refused with a reason
//! that says so, in the shape of the real service's refusals: a wrong answer would be worse than none.

use std::f64::consts::TAU;
use std::time::Instant;

use chrono::{DateTime, Datelike, FixedOffset, Local, Offset, TimeDelta, Timelike, Utc};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

/// The names a query may ask for, and their units.
const VARIABLES: [(&str, &str); 13] = [
    ("temperature_2m", "°C"),
    ("apparent_temperature", "°C"),
    ("relative_humidity_2m", "%"),
    ("is_day", ""),
    ("precipitation", "mm"),
    ("rain", "mm"),
    ("weather_code", "wmo code"),
    ("cloud_cover", "%"),
    ("pressure_msl", "hPa"),
    ("surface_pressure", "hPa"),
    ("wind_speed_10m", "km/h"),
    ("wind_direction_10m", "°"),
    ("wind_gusts_10m", "km/h"),
];

/// The older `current_weather=true`: its names and those above.
const OLDER: [(&str, &str); 5] = [
    ("temperature", "temperature_2m"),
    ("windspeed", "wind_speed_10m"),
    ("winddirection", "wind_direction_10m"),
    ("is_day", "is_day"),
    ("weathercode", "weather_code"),
];

/// Parameters of the real service that change its answer and are not known here, with the value that changes nothing.
const UNKNOWN_HERE: [(&str, &str); 12] = [
    ("daily", ""),
    ("minutely_15", ""),
    ("wind_speed_unit", "kmh"),
    ("windspeed_unit", "kmh"),
    ("precipitation_unit", "mm"),
    ("timeformat", "iso8601"),
    ("past_days", "0"),
    ("start_date", ""),
    ("end_date", ""),
    ("models", ""),
    ("forecast_hours", ""),
    ("cell_selection", "land"),
];

/// What stands in an object, in order.
type Members = Vec<(String, Json)>;

/// JSON whose objects keep their order, which serde_json's own forget.
enum Json {
    Plain(Value),
    Object(Members),
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// One member of an object.
fn member(name: &str, value: impl Into<Value>) -> (String, Json) {
    (name.to_owned(), Json::Plain(value.into()))
}

/// The body of a refusal.
pub(crate) fn refusal(reason: &str) -> String {
    json!({ "error": true, "reason": reason }).to_string()
}

/// The body for a query; the error is the reason of a refusal. `fixed` takes the place of every temperature.
pub(crate) fn forecast(
    query: &str,
    fixed: Option<f64>,
    now: DateTime<Utc>,
) -> Result<String, String> {
    let begun = Instant::now();
    let parameters = decode(query)?;
    let of = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    for (name, harmless) in UNKNOWN_HERE {
        if of(name).is_some_and(|value| value != harmless) {
            return Err(simulated(&format!("{name} is not known to it")));
        }
    }
    let coordinate = |name: &str, title: &str, most: f64| {
        let text = of(name).ok_or_else(|| format!("Value required for key '{name}'."))?;
        if text.contains(',') {
            return Err(simulated("it answers for one place at a time"));
        }
        let number: f64 = text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .ok_or_else(|| format!("Value of type 'Float' required for key '{name}'."))?;
        if number.abs() > most {
            return Err(format!(
                "{title} must be in range of -{most} to {most}°. Given: {number:?}."
            ));
        }
        Ok(number)
    };
    let latitude = coordinate("latitude", "Latitude", 90.0)?;
    let longitude = coordinate("longitude", "Longitude", 180.0)?;
    let fahrenheit = match of("temperature_unit") {
        None | Some("celsius") => false,
        Some("fahrenheit") => true,
        Some(other) => {
            return Err(format!(
                "Cannot initialize TemperatureUnit from invalid String value {other} for key temperature_unit"
            ));
        }
    };
    let days = match of("forecast_days").map(str::parse) {
        None => 7,
        Some(Ok(days @ 1..=16)) => days,
        Some(Ok(days)) => {
            return Err(format!(
                "Forecast days is invalid. Allowed range 1 to 16. Given {days}."
            ));
        }
        Some(Err(_)) => {
            return Err("Value of type 'Int' required for key 'forecast_days'.".to_owned());
        }
    };
    let (zone, offset) = zone(of("timezone"), now)?;
    let sky = Sky {
        latitude,
        longitude,
        fixed,
        fahrenheit,
    };
    let local = now.with_timezone(&offset);
    let hours = offset.local_minus_utc() / 3600;
    let abbreviation = match hours {
        0 => "GMT".to_owned(),
        hours => format!("GMT{hours:+}"),
    };
    let mut answer = vec![
        // The real service answers for the nearest point of its grid.
        member("latitude", on_grid(latitude)),
        member("longitude", on_grid(longitude)),
        member("generationtime_ms", begun.elapsed().as_secs_f64() * 1000.0),
        member("utc_offset_seconds", offset.local_minus_utc()),
        member("timezone", zone),
        member("timezone_abbreviation", abbreviation),
        member("elevation", 38.0),
    ];
    let mut section = |name: &str, units: Members, values: Members| {
        answer.push((format!("{name}_units"), Json::Object(units)));
        answer.push((name.to_owned(), Json::Object(values)));
    };
    if let Some(names) = of("current") {
        let names = known(names, "current")?;
        let (units, values) = sky.now(local, names.into_iter().map(|name| (name, name)));
        section("current", units, values);
    }
    if of("current_weather").is_some_and(|value| !["false", "0"].contains(&value)) {
        let (units, values) = sky.now(local, OLDER.into_iter());
        section("current_weather", units, values);
    }
    if let Some(names) = of("hourly") {
        let midnight = local - TimeDelta::seconds(local.num_seconds_from_midnight().into());
        let times: Vec<_> = (0..24 * days)
            .map(|hour| midnight + TimeDelta::hours(hour))
            .collect();
        let written: Vec<Value> = times.iter().map(|time| minute(*time).into()).collect();
        let mut units = vec![member("time", "iso8601")];
        let mut values = vec![member("time", written)];
        for name in known(names, "hourly")? {
            let course: Vec<Value> = times.iter().map(|time| sky.value(name, *time)).collect();
            units.push(member(name, sky.unit(name)));
            values.push(member(name, course));
        }
        section("hourly", units, values);
    }
    serde_json::to_string(&Json::Object(answer)).map_err(|error| error.to_string())
}

/// The reason for refusing what only the real service can do.
fn simulated(what: &str) -> String {
    format!("This is umqtt's simulated weather: {what}; with --online the real service answers.")
}

/// The names and values of a query.
fn decode(query: &str) -> Result<Vec<(String, String)>, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((unescape(name)?, unescape(value)?))
        })
        .collect()
}

/// Takes `%2C` and `+` for what they stand for.
fn unescape(text: &str) -> Result<String, String> {
    let wrong = || format!("'{text}' is not encoded as a URL is.");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let digit = char::from(rest.next()?).to_digit(16)?;
                    u8::try_from(digit).ok()
                };
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                high << 4 | low
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// The variables that a list names.
fn known(names: &str, key: &str) -> Result<Vec<&'static str>, String> {
    names
        .split(',')
        .map(|name| {
            let found = VARIABLES.iter().find(|(known, _)| *known == name.trim());
            found.map(|(name, _)| *name).ok_or_else(|| {
                let known: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
                simulated(&format!(
                    "it knows no {name} for key {key}, but {}",
                    known.join(", ")
                ))
            })
        })
        .collect()
}

/// The name of a time zone and how far it is from Greenwich now: that city's, or this computer's.
fn zone(named: Option<&str>, now: DateTime<Utc>) -> Result<(String, FixedOffset), String> {
    let here = || iana_time_zone::get_timezone().unwrap_or_else(|_| "GMT".to_owned());
    let offset_here = || now.with_timezone(&Local).offset().fix();
    match named {
        None | Some("GMT" | "UTC") => Ok(("GMT".to_owned(), Utc.fix())),
        // The real service looks at the place; a class is mostly where it asks about.
        Some("auto") => Ok((here(), offset_here())),
        Some(name) if name == here() => Ok((name.to_owned(), offset_here())),
        Some(name) => Err(simulated(&format!(
            "of time zones it knows GMT and this computer's, {}, not {name}",
            here()
        ))),
    }
}

/// The nearest point of a grid of a sixteenth of a degree.
fn on_grid(degrees: f64) -> f64 {
    (degrees * 16.0).round() / 16.0
}

/// A time as the service writes it: local, to the minute.
fn minute(time: DateTime<FixedOffset>) -> String {
    time.format("%Y-%m-%dT%H:%M").to_string()
}

/// The made-up weather of one place.
struct Sky {
    latitude: f64,
    longitude: f64,
    /// The temperature that was set, in degrees Celsius.
    fixed: Option<f64>,
    fahrenheit: bool,
}

impl Sky {
    /// Units and values of this quarter of an hour, by the name in the answer and that of the variable.
    fn now(
        &self,
        local: DateTime<FixedOffset>,
        names: impl Iterator<Item = (&'static str, &'static str)>,
    ) -> (Members, Members) {
        let late = local.num_seconds_from_midnight() % 900;
        let time = local - TimeDelta::seconds(late.into());
        let mut units = vec![member("time", "iso8601"), member("interval", "seconds")];
        let mut values = vec![member("time", minute(time)), member("interval", 900)];
        for (name, variable) in names {
            units.push(member(name, self.unit(variable)));
            values.push(member(name, self.value(variable, time)));
        }
        (units, values)
    }

    fn unit(&self, variable: &str) -> &'static str {
        let (_, unit) = VARIABLES
            .iter()
            .find(|(name, _)| *name == variable)
            .expect("`known` has looked, and OLDER names no other");
        match *unit {
            "°C" if self.fahrenheit => "°F",
            unit => unit,
        }
    }

    fn value(&self, variable: &str, time: DateTime<FixedOffset>) -> Value {
        // By the sun, whatever the clocks of the place say.
        let hour = (f64::from(time.to_utc().num_seconds_from_midnight()) / 3600.0
            + self.longitude / 15.0)
            .rem_euclid(24.0);
        // 1 in the middle of the afternoon, -1 before dawn.
        let day = ((hour - 15.0) / 24.0 * TAU).cos();
        // 1 at the end of July, -1 half a year later; in the south the other way round.
        let year = ((f64::from(time.ordinal()) - 205.0) / 365.25 * TAU).cos();
        let away = self.latitude.abs();
        let celsius = self.fixed.unwrap_or_else(|| {
            27.0 - 0.3 * away + 0.2 * away * year * self.latitude.signum() + 5.0 * day
        });
        let tenths = |value: f64| json!((value * 10.0).round() / 10.0);
        let degrees = |celsius: f64| match self.fahrenheit {
            true => tenths(celsius * 1.8 + 32.0),
            false => tenths(celsius),
        };
        match variable {
            "temperature_2m" => degrees(celsius),
            "apparent_temperature" => degrees(celsius - 1.2),
            "relative_humidity_2m" => json!((60.0 - 20.0 * day).round() as i64),
            "is_day" => json!(u8::from((6.0..18.0).contains(&hour))),
            "weather_code" => json!(1),
            "cloud_cover" => json!(20),
            "pressure_msl" => json!(1015.0),
            "surface_pressure" => json!(1010.5),
            "wind_speed_10m" => tenths(9.0 + 4.0 * day),
            "wind_gusts_10m" => tenths(20.0 + 8.0 * day),
            "wind_direction_10m" => json!(225),
            // Precipitation and rain: it never rains here.
            _ => json!(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Tuesday, 12:34:56 in Greenwich.
    fn noon() -> DateTime<Utc> {
        "2025-07-22T12:34:56Z".parse().expect("a time")
    }

    fn asked(query: &str) -> Value {
        let body = forecast(query, None, noon()).unwrap_or_else(|reason| panic!("{reason}"));
        serde_json::from_str(&body).expect("JSON")
    }

    #[test]
    fn the_answer_has_the_recorded_shape() {
        let body = forecast(
            "latitude=52.52&longitude=13.41&current=temperature_2m,wind_speed_10m",
            Some(21.44),
            noon(),
        )
        .expect("an answer");
        let begins = r#"{"latitude":52.5,"longitude":13.4375,"generationtime_ms":"#;
        let goes_on = r#","utc_offset_seconds":0,"timezone":"GMT","timezone_abbreviation":"GMT","elevation":38.0,"current_units":{"time":"iso8601","interval":"seconds","temperature_2m":"°C","wind_speed_10m":"km/h"},"current":{"time":"2025-07-22T12:30","interval":900,"temperature_2m":21.4,"wind_speed_10m":"#;
        assert!(body.starts_with(begins) && body.contains(goes_on), "{body}");
        let older = asked("latitude=1&longitude=2&current_weather=true");
        assert_eq!(older["current_weather_units"]["windspeed"], "km/h");
        assert_eq!(older["current_weather"]["time"], "2025-07-22T12:30");
        assert!(older["current_weather"]["temperature"].is_number());
        let hourly = asked("latitude=1&longitude=2&hourly=temperature_2m%2Crain&forecast_days=2");
        assert_eq!(hourly["hourly"]["time"][47], "2025-07-23T23:00");
        assert_eq!(hourly["hourly"]["rain"].as_array().map(Vec::len), Some(48));
    }

    #[test]
    fn summers_and_afternoons_are_warm() {
        let at = |query: &str, time: &str| {
            let now = time.parse().expect("a time");
            let body = forecast(&format!("{query}&current=temperature_2m"), None, now);
            let json: Value = serde_json::from_str(&body.expect("an answer")).expect("JSON");
            json["current"]["temperature_2m"]
                .as_f64()
                .expect("a number")
        };
        let madrid = "latitude=40.4&longitude=-3.7";
        let buenos_aires = "latitude=-34.6&longitude=-58.4";
        let (summer, winter) = ("2025-07-22T15:00:00Z", "2025-01-22T15:00:00Z");
        assert!(at(madrid, summer) > at(madrid, "2025-07-22T03:00:00Z") + 5.0);
        assert!(at(madrid, summer) > at(madrid, winter) + 10.0);
        assert!(at(buenos_aires, summer) < at(buenos_aires, winter));
        let warm = at(madrid, summer);
        let fahrenheit = at(&format!("{madrid}&temperature_unit=fahrenheit"), summer);
        assert!(
            (fahrenheit - (warm * 1.8 + 32.0)).abs() < 0.2,
            "{warm} {fahrenheit}"
        );
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_a_reason() {
        for (query, words) in [
            ("", "required for key 'latitude'"),
            ("latitude=1", "required for key 'longitude'"),
            ("latitude=x&longitude=2", "Float"),
            ("latitude=nan&longitude=2", "Float"),
            (
                "latitude=99&longitude=2",
                "Latitude must be in range of -90 to 90°. Given: 99.0.",
            ),
            (
                "latitude=1&longitude=-200.5",
                "Longitude must be in range of -180 to 180°",
            ),
            ("latitude=1,2&longitude=3,4", "one place"),
            (
                "latitude=1&longitude=2&current=temperatura",
                "no temperatura for key current",
            ),
            ("latitude=1&longitude=2&daily=sunrise", "daily is not known"),
            ("latitude=1&longitude=2&timezone=Nowhere/Land", "time zones"),
            (
                "latitude=1&longitude=2&temperature_unit=kelvin",
                "TemperatureUnit",
            ),
            ("latitude=1&longitude=2&forecast_days=17", "Given 17"),
            ("latitude=%4&longitude=2", "encoded"),
            ("latitude=%é&longitude=2", "encoded"),
        ] {
            let reason = forecast(query, None, noon()).expect_err(query);
            assert!(reason.contains(words), "{query}: {reason}");
            let body: Value = serde_json::from_str(&refusal(&reason)).expect("JSON");
            assert_eq!(
                (&body["error"], &body["reason"]),
                (&json!(true), &json!(reason))
            );
        }
    }
}
