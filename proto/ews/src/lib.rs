//! Exchange Web Services and Autodiscover on the wire: encode, decode, stream splitting.
#![forbid(unsafe_code)]
