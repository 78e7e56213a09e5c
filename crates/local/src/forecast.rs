//! What is said when the weather changes.

use account::proxy::weather::Begun;

/// What the weather was before.
#[derive(Debug, Default)]
pub struct Forecast {
    before: Vec<Begun>,
    /// The faults that calls met until it was fair last.
    met_before: u64,
}

impl Forecast {
    /// What began and what ended, of all weather now; `met` are the faults that calls met so far.
    pub fn news(&mut self, now: Vec<Begun>, met: u64) -> Vec<String> {
        let began = now.iter().filter(|it| !self.before.contains(it));
        let mut news: Vec<_> = began.map(|it| format!("AWS: {}", it.weather)).collect();
        if now.is_empty() {
            let of_it = met - std::mem::replace(&mut self.met_before, met);
            news.push(format!("AWS: fair weather again; the outage met {of_it} calls"));
        } else {
            let parts = self.before.iter().map(|it| &it.weather.of);
            let over = parts.filter(|of| !now.iter().any(|it| it.weather.of == **of));
            news.extend(over.map(|of| format!("AWS: fair weather again for {of}")));
        }
        self.before = now;
        news
    }
}

#[cfg(test)]
mod tests {
    use account::proxy::{
        Way,
        weather::{How, Weather},
    };
    use tokio::time::Instant;

    use super::*;

    fn fails(of: &str, way: Way) -> Begun {
        let weather = Weather { of: of.to_owned(), how: How::Fails(way), seconds: 60 };
        Begun { weather, until: Instant::now() }
    }

    #[test]
    fn each_part_is_announced_and_the_calls_are_counted_until_all_is_fair() {
        let mut forecast = Forecast::default();
        let (sqs, sns) = (fails("SQS", Way::Slow), fails("SNS", Way::Denied));
        assert_eq!(forecast.news(vec![sqs.clone()], 5), ["AWS: SQS is slow for 60 s"]);
        let both = vec![sqs.clone(), sns];
        assert_eq!(forecast.news(both, 7), ["AWS: SNS is denied for 60 s"]);
        assert_eq!(forecast.news(vec![sqs], 9), ["AWS: fair weather again for SNS"]);
        let half = fails("SQS", Way::Half);
        assert_eq!(forecast.news(vec![half], 9), ["AWS: SQS is half for 60 s"]);
        let fair = forecast.news(Vec::new(), 12);
        assert_eq!(fair, ["AWS: fair weather again; the outage met 12 calls"]);
        forecast.news(vec![fails("SQS", Way::Half)], 13);
        let fair = forecast.news(Vec::new(), 15);
        assert_eq!(fair, ["AWS: fair weather again; the outage met 3 calls"]);
    }
}
