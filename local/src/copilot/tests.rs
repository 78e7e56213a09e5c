//! The real files as they are, and copies of them in which something is changed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::Workspace;
use crate::{
    endpoint,
    provision::{Target, provision_workspace},
};

mod mistakes;

/// A copy of the real files, removed when it is dropped.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("copilot-{}-{number}", std::process::id());
        let copy = std::env::temp_dir().join(name);
        copy_directory(&real(), &copy);
        Self(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn real() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../copilot")
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_real_files_have_no_mistake() {
    let workspace = Workspace::read(&real(), "test").unwrap();
    let names: Vec<&str> = workspace.services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["publisher", "fulfilment", "promotion"]);
    let fulfilment = &workspace.services[1];
    assert_eq!(fulfilment.manifest.variables["BANNER"].0, "on", "overridden");
    assert_eq!(fulfilment.manifest.variables["RUST_LOG"].0, "info", "kept");
}

#[test]
fn traces_go_to_x_ray_or_are_a_mistake() {
    let copy = Copy::new();
    let file = copy.0.join("fulfilment/manifest.yml");
    let traced = fs::read_to_string(&file)
        .unwrap()
        .replace("exec: false", "observability:\n  tracing: awsxray\nexec: false");
    fs::write(&file, &traced).unwrap();
    Workspace::read(&copy.0, "test").unwrap();
    fs::write(&file, traced.replace("awsxray", "aws-xray")).unwrap();
    let said = Workspace::read(&copy.0, "test").unwrap_err().to_string();
    assert!(said.contains("observability.tracing: ") && said.contains("awsxray"), "{said}");
}

const STATUS_QUEUE: &str = "
Parameters:
  App: {Type: String, Description: Copilot application name.}
  Env: {Type: String, Description: Copilot environment name.}
  Name: {Type: String, Description: Name of the service that owns this addon.}
Resources:
  statusDeadLetters:
    Type: AWS::SQS::Queue
  statusQueue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub '${App}-${Env}-${Name}-statusQueue'
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt statusDeadLetters.Arn
        maxReceiveCount: 3
  statusQueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref statusQueue]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: sns.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt statusQueue.Arn
            Condition:
              ArnLike:
                aws:SourceArn: !Sub 'arn:aws:sns:${AWS::Region}:${AWS::AccountId}:${App}-*'
Outputs:
  statusQueueUrl:
    Value: !Ref statusQueue
  statusQueueArn:
    Value: !GetAtt statusQueue.Arn
    Export: {Name: !Sub '${App}-${Env}-statusQueueArn'}
";

const STATUS_SUBSCRIPTION: &str = "
Parameters:
  {App: {Type: String}, Env: {Type: String}, Name: {Type: String}, Topic: {Type: String}}
Resources:
  statusSubscription:
    Type: AWS::SNS::Subscription
    Properties:
      Protocol: sqs
      TopicArn: !Ref Topic
      Endpoint:
        Fn::ImportValue: !Sub '${App}-${Env}-statusQueueArn'
";

#[tokio::test]
async fn an_addon_can_subscribe_its_service_to_a_queue_that_another_exports() {
    let copy = Copy::new();
    let put = |file: &str, text: &str| {
        let path = copy.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("publisher/addons/status.yml", STATUS_QUEUE);
    put("fulfilment/addons/status.yml", STATUS_SUBSCRIPTION);
    let arguments = "fulfilment/addons/addons.parameters.yml";
    put(arguments, "Parameters:\n  Topic: !Ref pingSNSTopic\n");
    let mistake = Workspace::read(&copy.0, "test").unwrap_err();
    assert!(mistake.to_string().contains("pingSNSTopic"), "{mistake}");

    put(arguments, "Parameters:\n  Topic: !Ref orderStatusSNSTopic\n");
    let manifest = fs::read_to_string(copy.0.join("fulfilment/manifest.yml")).unwrap();
    put(
        "fulfilment/manifest.yml",
        &manifest.replace("subscribe:\n", "publish: {topics: [{name: orderStatus}]}\nsubscribe:\n"),
    );
    let workspace = Workspace::read(&copy.0, "test").unwrap();
    let endpoint = endpoint::start(&endpoint::Settings::loopback(0)).await.unwrap();
    let target = Target { endpoint_url: endpoint.url.clone(), region: endpoint::region() };
    let account = provision_workspace(&workspace, &target).await.unwrap();

    let arns = &account.service("fulfilment").unwrap().variables["COPILOT_SNS_TOPIC_ARNS"];
    let arns: serde_json::Value = serde_json::from_str(arns).unwrap();
    let config = target.config().await;
    let sns = aws_sdk_sns::Client::new(&config);
    let publish = sns.publish().topic_arn(arns["orderStatus"].as_str().unwrap());
    publish.message("fulfilled").send().await.unwrap();
    let url = &account.service("publisher").unwrap().variables["STATUS_QUEUE_URL"];
    let sqs = aws_sdk_sqs::Client::new(&config);
    let received = sqs.receive_message().queue_url(url).send().await.unwrap();
    assert!(received.messages()[0].body().unwrap().contains("fulfilled"));
}
