use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;

/// A body of chunks that counts how many of them were read.
fn chunks(count: usize, read: &Arc<AtomicUsize>) -> Body {
    let read = Arc::clone(read);
    Body::from_stream(stream::iter(0..count).map(move |_| {
        read.fetch_add(1, Ordering::SeqCst);
        Ok::<_, io::Error>(Bytes::from_static(b"four"))
    }))
}

#[tokio::test]
async fn a_file_is_read_from_its_beginning_after_a_look_at_its_head() {
    let file: Vec<u8> = (0..100).collect();
    let upload = Upload::begin(Body::from(file.clone()), 1_000_000).await.unwrap();
    assert_eq!((upload.bytes, upload.head.len() >= HEAD_BYTES), (100, true));
    let all: Vec<Bytes> = upload.stream().try_collect().await.unwrap();
    assert_eq!(all.concat(), file);
}

#[tokio::test]
async fn a_file_of_no_length_without_bytes_or_with_too_many_is_refused() {
    let read = Arc::new(AtomicUsize::new(0));
    for (body, status, detail) in [
        (chunks(5, &read), 411, "Send the file with its length."),
        (Body::empty(), 422, "The file is empty."),
        (Body::from(vec![0; 1_000_001]), 413, "The file has more than 1 MB. Send a smaller one."),
    ] {
        let problem = Upload::begin(body, 1_000_000).await.unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.detail.as_str()), (status, detail));
    }
    assert_eq!(read.load(Ordering::SeqCst), 5, "a client that still sends reads no answer");
}
