//! Goal: the wrong that is done is the wrong that it says it is. Method: a client by hand on the socket.

use super::*;

/// A ClientHello of TLS 1.2 with these extensions, without its record.
fn client_hello(extensions: &[u8]) -> Vec<u8> {
    let mut hello = vec![1, 0, 0, 0, 3, 3];
    hello.extend([9; 32]);
    hello.extend([1, 5, 0, 2, 0xc0, 0x2f, 1, 0]);
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    hello
}

#[test]
fn the_versions_of_a_hello_are_read() {
    let offering = [0, 10, 0, 2, 0, 0, 0, 43, 0, 5, 4, 3, 4, 3, 3];
    assert_eq!(versions(&client_hello(&offering)).unwrap(), [[3, 4], [3, 3]]);
    assert_eq!(versions(&client_hello(&offering[..6])).unwrap(), [[3, 3]], "without the extension");
    let hello = client_hello(&offering);
    for end in 0..hello.len() {
        assert_eq!(versions(&hello[..end]), None, "cut off at {end}");
    }
}

#[tokio::test]
async fn a_handshake_is_answered_with_the_old_version_and_the_alert_is_told() {
    let mut server = Hostile::start(Wrong::OldTls(TLS_1_1)).await.unwrap();
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let hello = client_hello(&[]);
    let length = u8::try_from(hello.len()).unwrap();
    socket.write_all(&[&[22, 3, 1, 0, length][..], &hello].concat()).await.unwrap();
    let mut answer = [0; 47];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..11], [22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2]);
    socket.write_all(&[21, 3, 3, 0, 2, 2, 70]).await.unwrap();
    drop(socket);
    let met = server.met().await;
    assert_eq!((met.offered.as_slice(), met.alert()), (&[[3, 3]][..], Some(70)));
}

#[tokio::test]
async fn a_head_goes_on_until_the_client_closes() {
    for (wrong, begins) in
        [(Wrong::HeadersWithoutNumber, "X-Head: of"), (Wrong::HeaderWithoutEnd, "X-Head: xx")]
    {
        let mut server = Hostile::start(wrong).await.unwrap();
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut read = vec![0; 1 << 20];
        socket.read_exact(&mut read).await.unwrap();
        let text = String::from_utf8(read).unwrap();
        assert!(text["HTTP/1.1 200 OK\r\n".len()..].starts_with(begins) && !text.contains("\r\n\r\n"));
        drop(socket);
        let met = server.met().await;
        assert!(met.taken >= (1 << 20) - 20_000 && met.taken < HEAD_BYTES_MAX, "{}", met.taken);
    }
}
