"""Providers whose URLs hold something of the user's own: a region, a project, a resource, an account.

A cloud serves one model in one protocol, and another in another; `Endpoint.models` says which. Names of models differ
from one of its services to the next, and are sent as the user writes them.
"""

from router.backends import ANTHROPIC, Endpoint, FieldDefault, Known, LiftedHeader, Variable
from router.backends.profile import LOCAL_SAMPLING, Profile

_CLAUDE = r"(?:.*[./])?claude.*"
_NOT_CLAUDE = r"(?!(?:.*[./])?claude).*"
# Where users name their deployments.
_NAMED_CLAUDE = r".*claude.*"
_NOT_NAMED_CLAUDE = r"(?!.*claude).*"
_REGION = Variable(
    about="AWS region",
    pattern=r"[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}-\d{1,2}",
    example="us-east-1",
    environment=("AWS_REGION", "AWS_DEFAULT_REGION"),
)
_PROJECT = Variable(
    about="id or number of the Google Cloud project",
    pattern=r"[a-zA-Z0-9_-][a-zA-Z0-9_.:-]{0,99}",
    example="my-project-123",
    environment=("GOOGLE_CLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"),
)
_LOCATION = Variable(
    about="Google Cloud location",
    pattern=r"[a-z0-9-]{2,40}",
    example="global or europe-west1",
    environment=("GOOGLE_CLOUD_LOCATION", "CLOUD_ML_REGION"),
)
_RESOURCE = Variable(
    about="name of the Azure resource, not its URL",
    pattern=r"[a-zA-Z0-9-]{2,64}",
    example="my-resource",
    environment=("AZURE_RESOURCE_NAME",),
)
_AMAZON = ("x-amz-", "x-amzn-")
_GOOGLE = ("x-goog-", "x-vertex-ai-llm-")
_MICROSOFT = ("x-ms-",)
_ANTHROPIC = ("anthropic-workspace-id", "anthropic-organization-id", "anthropic-user-profile-id")
_BEDROCK_KEYS = ("AWS_BEARER_TOKEN_BEDROCK",)
_AZURE_COMMAND = "az account get-access-token --resource https://ai.azure.com --query accessToken -o tsv"

_RUNTIME_HOSTS = (
    ("cn-.*", "bedrock-runtime.{region}.amazonaws.com.cn"),
    ("eusc-.*", "bedrock-runtime.{region}.amazonaws.eu"),
    (".*", "bedrock-runtime.{region}.amazonaws.com"),
)
_RUNTIME_KEY = (
    "Its key is a Bedrock API key (ABSK…, bedrock-api-key-…), not an access key id. Whom it stands for needs "
    "bedrock:CallWithBearerToken and bedrock:InvokeModel, and the model must be enabled in the region"
)
_BARE = "here names have no region in front, as in anthropic.claude-opus-5; the name may be one of bedrock"
_PROFILE = (
    "on-demand throughput isn",
    "this model is asked for by an inference profile, which has a region in front: us., eu. or global.",
)
_BETAS = (
    "invalid beta flag",
    'the service does not know a beta that the tool asks for; remove_headers = ["anthropic-beta"] in the '
    "[backends.NAME] table of config.toml leaves them out",
)

CLOUD_PROVIDERS = (
    Known(
        name="vertex",
        title="Google Vertex AI",
        root="https://{host}/v1/projects/{project}/locations/{location}/endpoints/openapi",
        protocols=("messages", "chat", "responses", "gemini"),
        variables={"project": _PROJECT, "location": _LOCATION},
        host_variable="location",
        hosts=(
            ("global", "aiplatform.googleapis.com"),
            ("us|eu", "aiplatform.{location}.rep.googleapis.com"),
            (".*", "{location}-aiplatform.googleapis.com"),
        ),
        endpoints={
            "messages": Endpoint(
                root="https://{host}/v1/projects/{project}/locations/{location}/publishers/anthropic",
                path="/models/{model}:rawPredict",
                stream_path="/models/{model}:streamRawPredict",
                count_path="/models/count-tokens:rawPredict",
                models=r"claude-.*",
                # In place of the header, which is for Anthropic's own API. The version of the caller's header stands
                # where the service knows it under that name.
                set_fields=(
                    FieldDefault("anthropic_version", "vertex-2023-10-16", "anthropic-version", ("2026-10-21",)),
                ),
                drop_headers=("anthropic-version",),
            ),
            # The name has the publisher in front: google/gemini-3-pro, meta/llama-4-maas.
            "chat": Endpoint(models=r"[^/]+/.+"),
            "responses": Endpoint(
                root="https://{host}/v1/projects/{project}/locations/{location}/publishers/openai/v1",
                models=r"(?:gpt|o\d).*",
            ),
            "gemini": Endpoint(
                root="https://{host}/v1/projects/{project}/locations/{location}/publishers/google",
                models=r"gemini-.*",
                flat_counts=True,
            ),
        },
        own_headers=("x-goog-user-project",),
        own_prefixes=_GOOGLE,
        models_path="",
        key_needs=(
            "Its key is an access token, which lasts an hour. The account behind it needs the role Vertex AI User "
            "(aiplatform.endpoints.predict) in the project, and models of partners must be enabled there"
        ),
        key_command="gcloud auth print-access-token",
        key_cloud="google:adc",
        profile=Profile(),
        source="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude",
    ),
    Known(
        name="bedrock",
        title="Amazon Bedrock",
        root="https://{host}/openai/v1",
        protocols=("messages", "chat", "responses"),
        variables={"region": _REGION},
        host_variable="region",
        hosts=_RUNTIME_HOSTS,
        endpoints={
            "messages": Endpoint(root="https://{host}/anthropic/v1", models=_CLAUDE),
            "chat": Endpoint(models=_NOT_CLAUDE),
            "responses": Endpoint(models=_NOT_CLAUDE),
        },
        auth_header="bearer",
        own_prefixes=_AMAZON,
        models_path="",
        key_variables=_BEDROCK_KEYS,
        key_cloud="aws:bedrock",
        key_prefixes=("ABSK", "bedrock-api-key-"),
        key_needs=_RUNTIME_KEY,
        profile=Profile(),
        error_hints=(
            _PROFILE,
            _BETAS,
            (
                "model identifier is invalid",
                "here models are inference profiles, such as us.anthropic.claude-opus-5; the name may be one of "
                "bedrock-mantle, which has no region in front, and Claude before version 5 may be served by "
                "bedrock-invoke alone",
            ),
        ),
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html",
    ),
    # The runtime's older way to ask a model, which serves every Claude; its Messages endpoint has the newest alone.
    Known(
        name="bedrock-invoke",
        title="Amazon Bedrock (InvokeModel)",
        root="https://{host}/model",
        protocols=("messages",),
        variables={"region": _REGION},
        host_variable="region",
        hosts=_RUNTIME_HOSTS,
        endpoints={
            "messages": Endpoint(
                path="/{model}/invoke",
                stream_path="/{model}/invoke-with-response-stream",
                # A version stands behind a colon, and a profile of the user's own is named by its ARN.
                model_characters=":/",
                # As Anthropic's own client has it there.
                drop_fields=("stream",),
                set_fields=(
                    FieldDefault("anthropic_version", "bedrock-2023-05-31", "anthropic-version", ("2026-10-21",)),
                ),
                lift_headers=(LiftedHeader("anthropic-beta", "anthropic_beta"),),
                drop_headers=("anthropic-version",),
                # Its counts are another call, which does not know profiles.
                counts=False,
                framing="aws-eventstream",
            ),
        },
        # Of the answer inside the frames: a caller's own would ask for events that are not framed.
        set_headers=(("accept", "application/json"),),
        auth_header="bearer",
        own_prefixes=_AMAZON,
        models_path="",
        key_variables=_BEDROCK_KEYS,
        key_cloud="aws:bedrock",
        key_prefixes=("ABSK", "bedrock-api-key-"),
        key_needs=_RUNTIME_KEY,
        error_hints=(
            _PROFILE,
            _BETAS,
            (
                "model identifier is invalid",
                "here models are inference profiles, such as us.anthropic.claude-sonnet-4-20250514-v1:0, or ARNs; the "
                "name may be one of bedrock-mantle, which has no region in front",
            ),
        ),
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html",
    ),
    Known(
        name="bedrock-mantle",
        title="Amazon Bedrock (mantle)",
        root="https://bedrock-mantle.{region}.api.aws/v1",
        # Where some models are served instead: https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
        other_roots=("https://bedrock-mantle.{region}.api.aws/openai/v1",),
        protocols=("messages", "chat", "responses"),
        variables={"region": _REGION},
        endpoints={
            "messages": Endpoint(root="https://bedrock-mantle.{region}.api.aws/anthropic/v1", models=_CLAUDE),
            "chat": Endpoint(models=_NOT_CLAUDE),
            "responses": Endpoint(models=_NOT_CLAUDE),
        },
        auth_header="bearer",
        own_prefixes=_AMAZON,
        key_variables=_BEDROCK_KEYS,
        key_cloud="aws:bedrock",
        key_prefixes=("ABSK", "bedrock-api-key-"),
        key_needs=(
            "Its key is a Bedrock API key (ABSK…, bedrock-api-key-…), not an access key id. Whom it stands for needs "
            "bedrock-mantle:CallWithBearerToken and bedrock-mantle:CreateInference"
        ),
        profile=Profile(),
        error_hints=(
            _PROFILE,
            _BETAS,
            (
                "supported on this route",
                "some models are served at another root: add a backend with --base-url "
                "https://bedrock-mantle.REGION.api.aws/openai/v1",
            ),
            ("model identifier is invalid", _BARE),
            ("does not exist", _BARE),
            ("not found", _BARE),
        ),
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html",
    ),
    Known(
        name="claude-aws",
        title="Claude Platform on AWS",
        root="https://aws-external-anthropic.{region}.api.aws/v1",
        protocols=("messages",),
        variables={
            "region": _REGION,
            "workspace": Variable(
                about="id of the Claude workspace",
                pattern=r"[A-Za-z0-9_-]{1,64}",
                example="wrkspc_01AbC",
                environment=("ANTHROPIC_AWS_WORKSPACE_ID",),
            ),
        },
        api=ANTHROPIC,
        auth_header="bearer",
        set_headers=(("anthropic-workspace-id", "{workspace}"),),
        own_headers=_ANTHROPIC,
        own_prefixes=_AMAZON,
        key_variables=("ANTHROPIC_AWS_API_KEY",),
        key_needs="Its key is one that Anthropic issued for the workspace on AWS",
        source="https://docs.claude.com/en/api/claude-platform-on-aws",
    ),
    Known(
        name="claude-gcp",
        title="Claude on Google Cloud",
        root="https://claude.googleapis.com/v1/projects/{project}/locations/{location}/workspaces/{workspace}/invoke/v1",
        protocols=("messages",),
        variables={
            "project": _PROJECT,
            "location": _LOCATION,
            "workspace": Variable(
                about="id of the Claude workspace",
                pattern=r"[A-Za-z0-9_-]{1,64}",
                example="wrkspc_01AbC",
                environment=("ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID",),
            ),
        },
        api=ANTHROPIC,
        auth_header="bearer",
        own_headers=("x-goog-user-project", *_ANTHROPIC),
        own_prefixes=_GOOGLE,
        models_path="",
        key_needs="Its key is an access token of Google Cloud, which lasts an hour; its account must be let in there",
        key_command="gcloud auth print-access-token",
        key_cloud="google:adc",
        source="https://docs.claude.com/en/api/claude-on-google-cloud",
    ),
    Known(
        name="azure",
        title="Azure OpenAI",
        root="https://{resource}.openai.azure.com/openai/v1",
        protocols=("chat", "responses"),
        variables={"resource": _RESOURCE},
        own_prefixes=_MICROSOFT,
        # GET /models lists what the resource could deploy.
        models_path="",
        key_variables=("AZURE_OPENAI_API_KEY",),
        key_needs=(
            "Its key is one of the resource's two, or a token of Entra ID, for which the account needs the role "
            "Cognitive Services OpenAI User. Models are asked for by the names of your deployments"
        ),
        key_command=_AZURE_COMMAND,
        key_cloud="azure:metadata",
        refuses_max_tokens=True,
        profile=Profile(
            prefers="responses",
            max_tokens_field="max_completion_tokens",
            thinkers=r"^(o\d|gpt-([5-9]|oss)|codex)",
            fixed=r"^(o\d|gpt-[5-9](?!.*chat)|codex)",
        ),
        source="https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle",
    ),
    Known(
        name="foundry",
        title="Microsoft Foundry",
        root="https://{resource}.services.ai.azure.com/openai/v1",
        protocols=("messages", "chat", "responses"),
        variables={"resource": _RESOURCE},
        endpoints={
            "messages": Endpoint(
                root="https://{resource}.services.ai.azure.com/anthropic/v1",
                auth_header="x-api-key",
                models=_NAMED_CLAUDE,
            ),
            "chat": Endpoint(models=_NOT_NAMED_CLAUDE),
            "responses": Endpoint(models=_NOT_NAMED_CLAUDE),
        },
        own_prefixes=_MICROSOFT,
        models_path="",
        key_variables=("AZURE_API_KEY", "ANTHROPIC_FOUNDRY_API_KEY"),
        key_needs=(
            "Its key is one of the resource's two; with a token of Entra ID in its place add --auth-header bearer. "
            "Models are asked for by the names of your deployments"
        ),
        key_command=_AZURE_COMMAND,
        key_cloud="azure:metadata",
        profile=Profile(),
        source="https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/how-to/use-foundry-models-claude",
    ),
    Known(
        name="cloudflare",
        title="Cloudflare Workers AI",
        root="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        protocols=("messages", "chat", "responses"),
        variables={
            "account": Variable(
                about="id of the Cloudflare account",
                pattern=r"[0-9a-f]{32}",
                example="0123456789abcdef0123456789abcdef",
                environment=("CLOUDFLARE_ACCOUNT_ID",),
            )
        },
        own_prefixes=("cf-aig-",),
        # Its catalogue is another API.
        models_path="",
        key_variables=("CLOUDFLARE_API_TOKEN",),
        key_needs="Its key is an API token with the permission Workers AI: Read",
        profile=Profile(sampling=LOCAL_SAMPLING),
        source="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/",
    ),
    Known(
        name="databricks",
        title="Databricks",
        root="https://{host}/serving-endpoints",
        protocols=("messages", "chat"),
        variables={
            "host": Variable(
                about="host of the workspace",
                pattern=(
                    r"[a-z0-9-]{1,63}\.cloud\.databricks\.com"
                    r"|[a-z0-9-]{1,63}\.\d{1,3}\.(?:azuredatabricks\.net|gcp\.databricks\.com)"
                ),
                example="dbc-1234abcd-5678.cloud.databricks.com",
                environment=("DATABRICKS_HOST",),
                is_host=True,
            )
        },
        endpoints={
            "messages": Endpoint(root="https://{host}/serving-endpoints/anthropic/v1", models=r".*claude.*"),
        },
        models_path="",
        key_variables=("DATABRICKS_TOKEN",),
        key_needs="Its key is a personal access token, or one of a service principal, that may query the endpoint",
        profile=Profile(),
        source="https://docs.databricks.com/aws/en/machine-learning/model-serving/query-anthropic-messages",
    ),
)
