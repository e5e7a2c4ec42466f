//! The client's messages, made by `sspi`: NTLMv2 alone, always with the integrity check.

use proto_ntlm::message::Challenge;
use secrecy::{ExposeSecret, SecretString};
use sspi::{
    AuthIdentityBuffers, BufferType, ClientRequestFlags, DataRepresentation, Ntlm, SecurityBuffer, Sspi,
    SspiImpl,
};

use super::Failure;

/// An account's name as a directory has it, and its password.
#[derive(Debug)]
pub(super) struct Login {
    user: String,
    domain: String,
    password: SecretString,
}

/// A login under way.
pub(super) struct Attempt {
    ntlm: Ntlm,
    identity: Option<AuthIdentityBuffers>,
}

impl Login {
    /// `DOMAIN\user`, `user@domain.dk` (a user principal name, which goes whole) or `user`.
    pub(super) fn new(name: &str, password: SecretString) -> Self {
        let (domain, user) = name.split_once('\\').unwrap_or(("", name));
        Self { user: user.to_owned(), domain: domain.to_owned(), password }
    }

    /// The first message.
    pub(super) fn begin(&self) -> Result<(Attempt, Vec<u8>), Failure> {
        let identity =
            AuthIdentityBuffers::from_utf8(&self.user, &self.domain, self.password.expose_secret());
        let mut attempt = Attempt { ntlm: Ntlm::new(), identity: Some(identity) };
        let message = attempt.step(None)?;
        Ok((attempt, message))
    }
}

impl Attempt {
    /// The last message, in answer to the server's; bound to the connection when there is something to bind it by.
    pub(super) fn answer(mut self, challenge: &[u8], binding: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
        let read = Challenge::decode(challenge).map_err(|error| Failure::Challenge(error.into()))?;
        if let Some(weakness) = read.weakness() {
            return Err(Failure::Weak(weakness));
        }
        if let Some(binding) = binding {
            self.ntlm.set_channel_bindings(binding);
        }
        self.step(Some(challenge))
    }

    fn step(&mut self, input: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
        let failed = |error: sspi::Error| Failure::Challenge(error.to_string().into());
        let mut input = input.map(|bytes| vec![SecurityBuffer::new(bytes.to_vec(), BufferType::Token)]);
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = self
            .ntlm
            .initialize_security_context()
            .with_credentials_handle(&mut self.identity)
            .with_context_requirements(ClientRequestFlags::empty())
            .with_target_data_representation(DataRepresentation::Native)
            .with_output(&mut output);
        if let Some(input) = &mut input {
            builder = builder.with_input(input);
        }
        SspiImpl::initialize_security_context_impl(&mut self.ntlm, &mut builder)
            .map_err(failed)?
            .resolve_to_result()
            .map_err(failed)?;
        match output.pop() {
            Some(token) if !token.buffer.is_empty() => Ok(token.buffer),
            _ => Err(Failure::Challenge("no message came of it".into())),
        }
    }
}
