"""Names that say that a value is a secret, and those that only look so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings.secret_names import is_secret_name, may_be_secret_name


def words(text):
    return text.split()


# Of vendors, gateways, clouds and monitoring, as their pages spell them; then shapes of names.
SECRET = words(
    """
authorization proxy-authorization x-api-key api-key x-goog-api-key x-litellm-key x-litellm-api-key x-auth-key
x-secret-key x-private-key x-rapidapi-key dd-application-key dd-api-key x-db-dsn x-portkey-api-key x-portkey-virtual-key
x-portkey-aws-secret-access-key x-portkey-aws-session-token x-portkey-config x-key x-jwt x-provider-key helicone-auth
helicone-openai-api-key x-openai-api-key x-bt-auth-token cf-aig-authorization cf-access-client-secret
cf-access-jwt-assertion cf-access-token ocp-apim-subscription-key x-functions-key x-amz-security-token
x-amz-credential x-amz-signature x-goog-signature x-goog-credential x-goog-iap-jwt-assertion
x-ms-authorization-auxiliary x-vault-token x-consul-token x-nomad-token x-gitlab-token private-token job-token
x-github-otp x-hub-signature x-hub-signature-256 x-shopify-access-token x-stripe-signature x-slack-signature
x-algolia-api-key x-parse-rest-api-key x-parse-master-key x-sf-token x-insert-key x-license-key x-honeycomb-team
x-langfuse-secret-key x-wandb-api-key xi-api-key x-subscription-token x-replicate-token modal-key modal-secret
x-vercel-protection-bypass x-vercel-oidc-token x-ibm-client-secret x-apikey apikey x-consumer-key
x-rapidapi-proxy-secret openai-sentinel-token x-openai-session-token x-csrf-token x-xsrf-token x-auth-token
x-access-token x-refresh-token x-id-token x-session-token x-session-key x-session-cookie x-user-token x-service-token
x-bot-token x-bearer-token x-client-credentials x-basic-auth x-api-auth x-gateway-auth x-gateway-password x-db-passwd
x-org-pass x-pwd x-pin x-otp x-totp x-passphrase x-passcode x-dpop dpop x-oauth x-signature signature
x-webhook-signature x-hmac x-master-key x-admin-key x-root-key x-team-key x-org-key x-project-key x-workspace-key
x-tenant-key x-signing-key x-encryption-key x-shared-secret x-app-secret x-client-secret x-webhook-secret x-api-token
x-personal-token x-pat token secret key password passwd auth jwt bearer cookie sig sas api_token access_key
access_token auth_token id_token client_secret refresh_token apiKey accessToken clientSecret APIKey X-ApiKey KEY KEy
ApiKEY userAuthToken dbPassword xkey authtoken sessiontoken usertoken secretkey masterkey userpassword dbpass
basicauth myjwt key2 token_1 x-api-key-b64 x-token-bin auth-header token.value x.api.key api~key x|secret
AWSAccessKeyId aws_secret_key GoogleAccessId SAMLResponse client_assertion a[key] connection_string x-mcp-auth
x-api-keys SecretAccessKey SessionToken assertion AWSSessionToken
"""
)
HARMLESS = words(
    """
accept accept-encoding accept-language content-type content-length user-agent host date range if-none-match priority
anthropic-version anthropic-beta anthropic-dangerous-direct-browser-access openai-beta openai-version openai-intent
x-stainless-lang x-stainless-os x-stainless-arch x-stainless-runtime x-stainless-runtime-version
x-stainless-retry-count x-stainless-package-version x-stainless-timeout x-stainless-helper-method
x-stainless-poll-helper x-stainless-async x-session-id session-id session_id thread-id x-session-affinity
x-claude-code-session-id x-client-request-id x-request-id x-correlation-id x-conversation-id conversation_id
traceparent tracestate baggage b3 x-b3-traceid x-cloud-trace-context x-datadog-trace-id x-amzn-trace-id x-app x-title
http-referer editor-version copilot-integration-id x-initiator originator x-codex-turn-metadata x-codex-beta-features
x-grok-conv-id x-openrouter-title x-goog-api-client x-goog-request-params idempotency-key x-idempotency-key
Idempotency-Key prompt_cache_key x-prompt-cache-key x-cache-key x-routing-key x-affinity-key x-partition-key
x-amz-idempotency-token x-ms-continuation-token pageToken page_token next_token $skiptoken nextPageToken x-token-count
x-max-tokens max_tokens max_completion_tokens x-ratelimit-remaining-tokens tokens tokenizer x-tokenizer keyword
keywords keyterm x-keyspace x-monkey x-secretary author x-author authority x-authority compass bypass passthrough
pass-through keyboard key-version x-hotkey turkey design pinned pinning spin opinion assign x-region limit after
before order include include[] purpose beta alt stream starting_after api-version model fields filter run_id
metadata[name] timestamp_granularities[] prettyPrint quotaUser upload_id keys sort_keys x-return-keys
"""
)


@pytest.mark.parametrize("name", SECRET)
def test_a_name_of_a_secret_is_known_by_its_last_word(name):
    """In the spelling that its vendor uses, in capitals and as a header comes, with `-`, `_` and `.`."""
    assert is_secret_name(name)
    assert is_secret_name(name.lower())
    assert is_secret_name(name.upper())
    assert is_secret_name(name.replace("-", "_"))
    assert is_secret_name("x-other-" + name)
    assert may_be_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_that_tells_nothing_is_no_secret(name):
    """What agents, SDKs, tracing and lists of APIs send goes on, in every spelling."""
    assert not is_secret_name(name)
    assert not is_secret_name(name.lower())
    assert not is_secret_name(name.replace("-", "_"))


WORDS = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "auth",
    "authorization",
    "jwt",
    "signature",
    "credentials",
]


@given(
    st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8), max_size=4),
    st.sampled_from(WORDS),
    st.sampled_from(["-", "_", ".", "/", "~", " ", "|"]),
    st.sampled_from(["", "2", "-1", "_b64", "-value"]),
    st.booleans(),
)
def test_any_prefix_of_a_word_for_secrets_changes_nothing(front, word, separator, after, upper):
    """Whatever a gateway puts before the word, it is told; but for the few pairs that name no secret, such as a page's
    token."""
    name = separator.join([*front, word]) + after
    joined = "".join(char for char in name if char.isalpha())
    told = is_secret_name(name.upper() if upper else name)
    assert told or joined.endswith(("pagetoken", "nexttoken", "cachekey", "sortkey", "shardkey", "dedupekey"))


def test_a_long_name_costs_little_memory_and_time():
    """Only the end of a name is judged and kept, so that names of 64 KiB cannot fill the memory."""
    assert is_secret_name("a" * 65536 + "-key")
    assert not is_secret_name("key-" + "a" * 65536)
    assert not is_secret_name("A" * 65536)
