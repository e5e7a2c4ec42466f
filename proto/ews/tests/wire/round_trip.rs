//! Goal: whatever can be said in the types arrives on the other side as it was.

use proptest::prelude::*;
use proto_ews::{
    Limits, autodiscover, decode_request, decode_response, encode_request, encode_response, pox,
};

use crate::strategies::{request_envelope, response_envelope, token};
use crate::strategies_discovery::{discovery_request, discovery_response, pox_response};

proptest! {
    #[test]
    fn requests(envelope in request_envelope()) {
        let message = encode_request(&envelope).unwrap();
        prop_assert_eq!(decode_request(message.as_bytes(), Limits::standard()).unwrap(), envelope);
    }

    #[test]
    fn responses(envelope in response_envelope()) {
        let message = encode_response(&envelope).unwrap();
        prop_assert_eq!(decode_response(message.as_bytes(), Limits::standard()).unwrap(), envelope);
    }

    #[test]
    fn autodiscover_requests(request in discovery_request()) {
        let message = autodiscover::encode_request(&request).unwrap();
        let decoded = autodiscover::decode_request(message.as_bytes(), Limits::standard()).unwrap();
        prop_assert_eq!(decoded, request);
    }

    #[test]
    fn autodiscover_responses(response in discovery_response()) {
        let response = Ok(response);
        let message = autodiscover::encode_response(&response).unwrap();
        let decoded = autodiscover::decode_response(message.as_bytes(), Limits::standard()).unwrap();
        prop_assert_eq!(decoded, response);
    }

    #[test]
    fn plain_autodiscover_requests(address in token()) {
        let message = pox::encode_request(&address).unwrap();
        prop_assert_eq!(pox::decode_request(message.as_bytes(), Limits::standard()).unwrap(), address);
    }

    #[test]
    fn plain_autodiscover_responses(address in token(), response in pox_response()) {
        let message = pox::encode_response(&address, &response).unwrap();
        prop_assert_eq!(pox::decode_response(message.as_bytes(), Limits::standard()).unwrap(), response);
    }
}
