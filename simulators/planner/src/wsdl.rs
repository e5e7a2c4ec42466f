//! The description of the service: this project's own words and structure for the same messages. What is
//! the same for all five operations is written once here; the rest stands in `wsdl/description.xml`.

use proto_planner::Operation;

#[cfg(test)]
mod tests;

/// The description, with the parts that repeat and the service's address left open.
const TEMPLATE: &str = include_str!("wsdl/description.xml");
/// What stands for the address in the template.
const ADDRESS: &str = "ADDRESS-OF-THE-SERVICE";

/// The description of the service at that address.
pub(crate) fn description(address: &str) -> String {
    let escaped = address.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let each = |write: fn(Operation) -> String| Operation::ALL.map(write).join("\n");
    TEMPLATE
        .replace("OPERATION-MESSAGES", &each(messages))
        .replace("OPERATION-PORTS", &each(port))
        .replace("OPERATION-BINDINGS", &each(binding))
        .replace(ADDRESS, &escaped)
}

fn messages(operation: Operation) -> String {
    let (request, response) = (operation.request_element(), operation.response_element());
    format!(
        r#"  <w:message name="{operation}Call"><w:part name="Body" element="cal:{request}"/></w:message>
  <w:message name="{operation}Answer"><w:part name="Body" element="cal:{response}"/></w:message>"#
    )
}

fn port(operation: Operation) -> String {
    format!(
        r#"    <w:operation name="{operation}">
      <w:input message="svc:{operation}Call"/>
      <w:output message="svc:{operation}Answer"/>
      <w:fault name="Failure" message="svc:Failure"/>
    </w:operation>"#
    )
}

fn binding(operation: Operation) -> String {
    format!(
        r#"    <w:operation name="{operation}">
      <s11:operation soapAction="{action}"/>
      <w:input>
        <s11:header message="svc:Headers" part="Organisation" use="literal"/>
        <s11:header message="svc:Headers" part="User" use="literal"/>
        <s11:body parts="Body" use="literal"/>
      </w:input>
      <w:output><s11:body parts="Body" use="literal"/></w:output>
      <w:fault name="Failure"><s11:fault name="Failure" use="literal"/></w:fault>
    </w:operation>"#,
        action = operation.soap_action(),
    )
}
