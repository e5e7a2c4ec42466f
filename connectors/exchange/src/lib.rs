//! Exchange over HTTPS behind the port CalendarSource.
#![forbid(unsafe_code)]
