//! Buckets and their policies, in copies of the second sample's files.

use std::fs;

use super::{Copy, receipts};
use crate::{
    cloudformation::resolve::{imagined, request::Request},
    copilot::read,
};

const FILE: &str = "web/addons/picturesBucket.yml";

/// What is said of a copy with another text for the first `old`.
fn mistake(old: &str, new: &str) -> String {
    let copy = Copy::of(&receipts());
    let path = copy.0.join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{FILE} has no {old:?}");
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
    let said = read(&copy.0, "test").expect_err(new).to_string();
    said.strip_prefix(&format!("{}:", path.display())).expect(&said).to_owned()
}

#[test]
fn settings_that_no_bucket_has_are_found() {
    let cases = [
        ("BucketEncryption", "BucketEncrypton", "BucketEncrypton"),
        ("SSEAlgorithm: AES256", "SSEAlgorithm: AES265", "AES265"),
        ("BlockPublicAcls: true", "BlockPublicAcl: true", "BlockPublicAcl"),
        ("BucketOwnerEnforced", "BucketOwnerForced", "BucketOwnerForced"),
        ("Status: Enabled", "Status: enabled", "enabled"),
        ("ExpirationInDays: 30", "ExpirationDays: 30", "ExpirationDays"),
        ("ExpirationInDays: 30", "ExpirationInDays: 0", "is 0, but AWS accepts 1"),
        ("            ExpirationInDays: 30", "", "a rule says what expires when"),
        ("    Properties:", "    Properties:\n      BucketName: Pictures", "lower-case"),
        ("AWS::S3::BucketPolicy", "AWS::S3::BucketPolcy", "AWS::S3::BucketPolcy is not supported"),
        ("Bucket: !Ref picturesBucket", "Buckets: [!Ref picturesBucket]", "Buckets"),
        ("Principal: '*'", "Principl: '*'", "Principl"),
        ("- !GetAtt picturesBucket.Arn", "- !Ref picturesBucket", "should be * or an ARN"),
        ("!GetAtt picturesBucket.Arn", "!GetAtt picturesBucket.DomainName", "DomainName"),
    ];
    for (old, new, what) in cases {
        let said = mistake(old, new);
        assert!(said.contains(what), "{said}\nshould say {what:?}");
        assert!(!said.contains('\n'), "{said}\nshould be one line");
    }
}

#[test]
fn a_bucket_without_a_name_gets_one_that_s3_accepts_and_its_arn_names_no_account() {
    let deployment = read(&receipts(), "test").unwrap();
    let known = imagined(&deployment.stacks).unwrap();
    let variable = &deployment.service("web").unwrap().variables["PICTURES_BUCKET_NAME"];
    let bucket = known.evaluate(&variable.stack, &variable.value).unwrap();
    assert_eq!(bucket, "receipts-test-web-addonsstack-picturesbucket");
    let resources = deployment
        .stacks
        .iter()
        .flat_map(|stack| stack.resources.iter().map(|(id, it)| (stack.resource_id(id), it)));
    let requests = resources.map(|(id, it)| Request::of(&id, it, &known).unwrap().unwrap());
    let all = format!("arn:aws:s3:::{bucket}/*");
    let mut policies = requests.filter_map(|it| match it {
        Request::BucketPolicy(of, document) => Some((of, document)),
        _ => None,
    });
    let (of, document) = policies.next().unwrap();
    assert_eq!(of, bucket);
    assert!(document.contains(&all), "{document}");
    let stack =
        deployment.stacks.iter().find(|it| it.resources.contains_key("picturesAccessPolicy"));
    let id = stack.unwrap().resource_id("picturesAccessPolicy");
    let policy = Request::of(&id, &stack.unwrap().resources[&id.id], &known).unwrap().unwrap();
    let Request::Policy(imported) = policy else { panic!("{policy:?}") };
    assert_eq!(imported["Statement"][0]["Resource"], all, "joined to the ARN that web exports");
}
