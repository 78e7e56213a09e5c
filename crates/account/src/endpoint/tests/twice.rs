//! Deliveries that the weather makes twice.

use aws_sdk_sqs::types::Message;
use reqwest::{Client, Method};

use super::Fixture;
use crate::proxy::{Conditions, Proxy, WEATHER_PATH, weather::Weather};

impl Fixture {
    /// The bodies of what arrives at fulfilment when this is published.
    async fn delivered(&self, message: &str) -> Vec<String> {
        let publish = self.sns.publish().topic_arn(self.topic("ordersTopic")).message(message);
        publish.send().await.unwrap();
        let (queue, mut bodies) = (self.queue("fulfilment"), Vec::new());
        loop {
            let received: Vec<Message> = self.receive(queue, 0).await;
            if received.is_empty() {
                return bodies;
            }
            for message in received {
                bodies.push(message.body.unwrap());
                let handle = message.receipt_handle.unwrap();
                let delete = self.sqs.delete_message().queue_url(queue).receipt_handle(handle);
                delete.send().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn sns_delivers_twice_while_the_weather_says_so() {
    let fixture = Fixture::new().await;
    let changing = Some(fixture.endpoint.twice());
    let conditions = Conditions { changing, ..Conditions::default() };
    let proxy = Proxy::start(&fixture.endpoint.url, conditions).await.unwrap();
    let ask = async |method, body: String| {
        let ask = Client::new().request(method, format!("{}{WEATHER_PATH}", proxy.url));
        ask.body(body).send().await.unwrap().error_for_status().unwrap();
    };
    assert_eq!(fixture.delivered("once").await.len(), 1);
    let twice = serde_json::to_string(&[Weather::twice(100, 3_600)]).unwrap();
    ask(Method::PUT, twice).await;
    let copies = fixture.delivered("twice").await;
    assert_eq!(copies.len(), 2, "{copies:?}");
    assert_eq!(copies[0], copies[1]);
    ask(Method::DELETE, r#"["deliveries"]"#.to_owned()).await;
    assert_eq!(fixture.delivered("once again").await.len(), 1);
}
