"""Runs MiniStack for make stack, with what it lacks for vizpost's template.

A call that a policy does not allow becomes a line of the log that begins with
"denied:" and names the function and the action.
"""

import asyncio
import email.utils
import re

import ministack.app as gateway
from ministack.core import iam_actions
from ministack.services import cognito
from ministack.services.cloudformation import provisioners

# Every request counts as one that came by TLS, as on AWS all do. MiniStack can
# speak TLS itself, but the authorizer of its HTTP APIs then still asks for the
# user pool's keys without it, and refuses every token.
#
# SES takes a second to answer, in which a test finds the message there and the
# function that sent it still waiting.

serve = gateway.app
ses_takes = 1  # seconds
refusal = re.compile(rb"User: [^ ]+/([^ /]+) is not authorized to perform: ([^ ]+)")


async def app(scope, receive, send):
    if scope["type"] != "http":
        await serve(scope, receive, send)
        return
    headers = [h for h in scope["headers"] if h[0] != b"x-forwarded-proto"]
    to_ses = any(name == b"authorization" and b"/ses/aws4_request" in value for name, value in headers)
    refused = False

    async def watch(message):
        nonlocal refused
        if message["type"] == "http.response.start":
            refused = message["status"] >= 400
            if to_ses and scope["method"] == "POST":
                await asyncio.sleep(ses_takes)
        elif refused and (found := refusal.search(message.get("body", b""))):
            print("denied:", *(part.decode() for part in found.groups()), flush=True)
        await send(message)

    await serve({**scope, "headers": [*headers, (b"x-forwarded-proto", b"https")]}, receive, watch)


gateway.app = app

# Users and identity providers of a pool are not known to MiniStack's
# CloudFormation, which refuses a template that has one. They are made as
# Cognito's API makes them.


def resource(make, name):
    def create(_logical_id, properties, _stack):
        status, _, answer = make(properties)
        if status != 200:
            raise ValueError(answer.decode())
        return properties[name], {}

    return {"create": create, "delete": lambda *_: None}


provisioners._RESOURCE_HANDLERS |= {
    "AWS::Cognito::UserPoolUser": resource(cognito._admin_create_user, "Username"),
    "AWS::Cognito::UserPoolIdentityProvider": resource(cognito._create_identity_provider, "ProviderName"),
    "AWS::Cognito::UserPoolUserToGroupAttachment": resource(cognito._admin_add_user_to_group, "GroupName"),
}

# A number that is a parameter comes as text. As the MaximumConcurrency of a
# queue's mapping, it ends the polling of all queues.

mapping = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
create_mapping = mapping["create"]


def create_mapping_with_number(logical_id, properties, stack):
    if scaling := properties.get("ScalingConfig"):
        scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
    return create_mapping(logical_id, properties, stack)


mapping["create"] = create_mapping_with_number

# Whether a role may send mail is asked without saying for whom. The identity is
# the sender's domain, which is the one that is verified here. What AWS also
# asks, whether the role may use the configuration set, is not asked.

resource_of = iam_actions.extract_resource_arn
context_of = iam_actions.request_tag_context


def sender(params):
    return email.utils.parseaddr(iam_actions._query_param(params, "Source") or "")[1]


def resource_with_identity(service, method, path, headers, body, params, region, account):
    if service == "ses" and (address := sender(params)):
        return f"arn:aws:ses:{region}:{account}:identity/{address.partition('@')[2]}"
    return resource_of(service, method, path, headers, body, params, region, account)


def context_with_sender(service, action, body, params):
    context = context_of(service, action, body, params)
    if service == "ses" and (address := sender(params)):
        context = {**context, "ses:FromAddress": address}
    return context


iam_actions.extract_resource_arn = resource_with_identity
iam_actions.request_tag_context = context_with_sender

gateway.main()
