"""Words that a repro keeps: the names of the protocols, which every program that speaks them sends, and the plain words
of error messages. What is made of them alone tells nothing of a user."""

# Names of fields, and values of fields that choose among few.
_PROTOCOLS = """
$defs $ref $schema ANY ARRAY AUTO BOOLEAN INTEGER MAX_TOKENS NONE NUMBER OBJECT OTHER SAFETY STOP STRING TEXT
accept accepted_prediction_tokens access access_programs action active adaptive add_generation_prompt
additionalProperties additional_tools address after after_id age all allOf allowed_callers allowed_domains
allowed_tools alt annotation annotations anthropic anthropic-beta anthropic-claude-v1 anthropic-version
anthropic_version any anyOf api_error application/json application/pdf apply_patch apply_patch_call
apply_patch_tool_type approximate arguments array ascii assistant assistants audio audio_tokens auth
authentication_error authorization authorization_token auto auxiliary availability_nux background base64
base_instructions batch batches before before_id best_of beta between_tools bill_to billing billing_error
billing_policy block blocked_domains boolean br breakpoint brotli browser.search browser_search budget_tokens
bytes cache cache_control cache_creation cache_creation_input_tokens cache_creation_token_details
cache_creation_tokens cache_read cache_read_input_tokens cache_write cache_write_1h cache_write_tokens
cached_tokens call call_id caller calls cancel cancelled candidates candidatesTokenCount candidatesTokensDetails
capabilities category charge chat chat.completion chat.completion.chunk chat.completion.done chat_template_kwargs
choices citation citations citations.quote citations_delta cited cited_text claude clear_at client client_version
closed code code_execution code_execution_20260120 code_execution_requests code_execution_result
code_execution_tool_result code_interpreter code_interpreter_call command commands compact compaction
compaction_failed compaction_summary compaction_trigger completed completed_at completion_tokens
completion_tokens_details completions computer computer_call computer_call_output computer_screenshot
computer_use_preview configs configuration_update conflict_error connector_id const container container.skills
contains content content-type contentEncoding content_block content_block_delta content_block_start
content_block_stop content_filter content_filter_offsets content_filter_result content_filter_results
content_index content_part.added content_part.done contents context context_compaction context_length
context_length_exceeded context_management context_window context_window_exceeded continue continue_final_message
conversation conversations cost cost.total_cost cost_details cost_in_usd_ticks count countTokens count_tokens
country create createTime create_file created created_at created_by ctc ctco currency custom custom_tool_call
custom_tool_call_input custom_tool_call_output data date date-time default default_config default_reasoning_level
default_verbosity defer_loading definition definitions deflate delete delete_file deleted delta dependentRequired
deprecated desc description detail details developer diff direct disable_parallel_tool_use disabled display
display_name document document.pdf done dropped ds4 duplicates duration eager_input_streaming economy edits
effective_context_window_percent effort else email embeddings empty enable_thinking enabled encrypted_content
encrypted_index end end_index end_turn ended enum env environment ephemeral ephemeral_1h_input_tokens
ephemeral_5m_input_tokens error error_code error_description example examples exceed_context_size_error
exclude_domains excluded_domains exclusiveMaximum exclusiveMinimum exec executed_tools execution
experimental_supported_tools expires_at explanation explicit extra_content failed failed_with fallback
fallback_message false fc fco file fileData file_data file_id file_ids file_search file_search_call file_text
file_url filename files filtered filters finishReason finish_reason first_id flagged flex form format fp_demo
fragments free frequency_penalty function function.parameters functionCall functionDeclarations functionResponse
function_call function_call_arguments function_call_output functions gemini generateContent generate_summary
generationConfig generations gpt-5 gpt-6 grammar gzip haiku harassment has_more hate head headers high hit http
https id identity if ignore image image/gif image/jpeg image/jpg image/png image/webp image_generation
image_generation_call image_input image_tokens image_url images implicit in_file in_progress include
includeThoughts include_domains include_obfuscation include_usage incomplete incomplete_details index inf
inference_geo inlineData input input_examples input_file input_file_id input_image input_items input_json_delta
input_modalities input_schema input_text input_tokens input_tokens_details inputs insert instructions
insufficient_quota insufficient_system_resource int integer internal_chat_message_metadata_passthrough
invalid_api_key invalid_prompt invalid_request_error ipv4 ipv6 is_byok is_error is_full item item_id
item_reference items json jsonPath json_object json_schema keepalive key kind kv_transfer_params last last_id
length lifecycle limit list llama.cpp local local_shell local_shell_call location logit_bias logprob logprobs low
main matched_stop max maxItems maxLength maxOutputTokens max_completion_tokens max_context_length_exceeded
max_context_window max_input max_input_tokens max_output_length max_output_tokens max_results max_tokens
max_tool_calls max_uses maximum mcp mcp-client-2025-11-20 mcp_call mcp_list_tools mcp_server_name mcp_servers
mcp_tool_listing mcp_tool_result mcp_tool_use mcp_toolset media_type medium message message.output_text.logprobs
message_delta message_start message_stop messages metadata metadata.user_id mimeType minItems minLength minimal
minimum miss mistral mistral9 modalities modality mode model modelVersion model_context_window_exceeded
model_length model_max_prompt_tokens_exceeded model_not_found models moderation moderation.policy
moderation_result moderation_results moderations msg multi_tool_use.parallel multi_tool_use_parallel multipleOf
n_ctx n_prompt_tokens name namespace native_finish_reason never next_user_message none not not_found_error noted
null nullable number obfuscation object omitted on_demand oneOf only op openai openrouter operation opus order
output output_config output_config.effort output_config.format output_format output_index output_text
output_text.annotation.added output_tokens output_tokens_details outputs overage overloaded overloaded_error
owned_by padding page_age parallel parallel_tool_calls param parameters parsed parsed_arguments part part.added
part.done partial_json parts path pattern patternProperties pause pause_turn pdf_input permission_denied
permission_error perplexity phase pieces ping place policy preamble prefix presence_penalty previous
previous_response_id previous_response_not_found prewarm priority program prompt promptTokenCount
promptTokensDetails prompt_cache_breakpoint prompt_cache_key prompt_cache_options prompt_cache_options.mode
prompt_cache_retention prompt_filter_results prompt_time prompt_token_ids prompt_tokens prompt_tokens_details
properties propertyNames provider provider_name published_date queries query queue_time rate_limit_error
rate_limit_exceeded raw read_only reason reasoning reasoning.effort reasoning.encrypted
reasoning.encrypted_content reasoning.summary reasoning.text reasoning_content reasoning_details reasoning_effort
reasoning_text reasoning_tokens recipient recipient_name redacted redacted_thinking refusal refused regex region
rejected_prediction_tokens rename replace request request_id request_too_large require_approval required response
response.apply_patch_call_operation_diff.delta response.apply_patch_call_operation_diff.done response.cancelled
response.compaction response.completed response.content_part.added response.content_part.done response.created
response.custom_tool_call_input response.custom_tool_call_input.delta response.custom_tool_call_input.done
response.failed response.function_call_arguments response.function_call_arguments.delta
response.function_call_arguments.done response.in_progress response.incomplete response.input_tokens
response.output_item.added response.output_item.done response.output_text.annotation.added
response.output_text.delta response.output_text.done response.queued response.reasoning_summary_part.added
response.reasoning_summary_part.done response.reasoning_summary_text.delta response.reasoning_summary_text.done
response.reasoning_text response.reasoning_text.delta response.reasoning_text.done response.refusal.delta
response.refusal.done responseId responseMimeType responseSchema response_format response_format.json_schema
response_format.json_schema.schema response_id responses result results retires_at return_code revised_prompt role
routed_experts rs runtime_info safeguards safety safetySettings safety_identifier schema score scored search
search_context_size search_domain_filter search_result search_results searched searching secret seed sender
sequence sequence_number server server_error server_label server_tool_use server_url serviceTier service_tier
severity sexual sha256 shape shell shell_call shell_call_output shell_command shell_type shutdown_date signature
signature_delta silent size sizes skills sonnet source sources span speech speed sse standard standard_only
start_index stats status status_code stderr stdout stop stopSequences stop_details stop_reason stop_sequence
stop_sequences store str_replace stream streamGenerateContent stream_options strict string subagent summarized
summary summary_index summary_text support_verbosity supported supported_efforts supported_in_api
supported_reasoning_levels supports_parallel_tool_calls supports_reasoning_summaries syntax system
systemInstruction system_fingerprint tags temperature temporary text text.done text.format text.format.description
text.format.name text.format.schema text.format.strict text.verbosity text/ text/plain text_completion text_delta
text_tokens thinking thinking.budget_tokens thinking.type thinkingBudget thinkingConfig thinking_blocks
thinking_delta thinking_tokens thinking_type thought thoughtSignature thoughtsTokenCount thread
thread_unsupported_request threads tier time time_info timeout timeout_error timestamp timezone timings title
token tokenCount token_ids tokens too_many_prompt_tokens tool toolConfig tool_addition tool_call_id tool_calls
tool_choice tool_choice.allowed_tools tool_choice.disable_parallel_tool_use tool_choice.tools tool_choice.type
tool_configuration tool_definition tool_id tool_name tool_names tool_reference tool_removal tool_result
tool_search tool_search_call tool_search_output tool_usage tool_use tool_use_id tool_uses tools topK topP top_k
top_logprobs top_p total totalTokenCount total_cost total_time total_tokens trace_id trafficType training_file
transcriptions translations true truncation truncation_policy ttl tunnel_id type unavailable uniqueItems
unsupported update_file upgrade uploads upstream_inference_cost uri url url_citation usage usageMetadata
usage_breakdown user user_id user_location user_profile utf-16 utf-8 uuid v1 v1beta value variations verbosity
video_tokens view violence visibility warn weakened web web_fetch_requests web_fetch_result web_fetch_tool_result
web_search web_search_20250305 web_search_call web_search_options web_search_preview web_search_requests
web_search_result web_search_result_location web_search_tool_result web_search_tool_result_error window wrapper
x-api-key x-gzip x-subscription-token x_groq xai xhigh zstd
"""
# Of Google's API, whose servers read each name in two spellings.
_GOOGLE = """
ABORTED API_KEY_INVALID AUDIO BLOCKLIST BLOCK_NONE CANCELLED CONTINUATION DEADLINE_EXCEEDED ESCALATION
FAILED_PRECONDITION FINISH_REASON_UNSPECIFIED HARM_BLOCK_THRESHOLD_UNSPECIFIED HIGH IMAGE IMAGE_OTHER
IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION IMAGE_SAFETY INTERNAL INVALID_ARGUMENT LANGUAGE LOW MALFORMED_FUNCTION_CALL
MALFORMED_RESPONSE MEDIUM MINIMAL MISSING_THOUGHT_SIGNATURE MODALITY_UNSPECIFIED MODEL_ARMOR MODE_UNSPECIFIED
NOT_FOUND NO_IMAGE OFF PERMISSION_DENIED PROHIBITED_CONTENT PUP_LIMITED_DISABLED PYTHON RECITATION RESOURCE_EXHAUSTED
SERVICE_TIER_STANDARD SERVICE_TIER_UNSPECIFIED SPII STANDARD THINKING_LEVEL_UNSPECIFIED TOO_MANY_TOOL_CALLS
TYPE_UNSPECIFIED UNAUTHENTICATED UNAVAILABLE UNEXPECTED_TOOL_CALL UNIMPLEMENTED UNSPECIFIED VALIDATED
additional_properties allowedFunctionNames allowed_function_names any_of asyncBatchEmbedContent
async_batch_embed_content audioTranscriptionConfig audio_transcription_config avgLogprobs avg_logprobs
batchEmbedContents batchGenerateContent batch_embed_contents batch_generate_content blockReason blockReasonMessage
block_reason block_reason_message boolValue bool_value cachedContent cachedContentTokenCount cachedContents
cached_content cached_content_token_count cached_contents candidateCount candidate_count candidates_token_count
candidates_tokens_details citationMetadata citation_metadata codeExecution codeExecutionResult confidenceScores
confidence_scores continuationToken continuation_token create_time displayName embedContent embed_content endIndex
enterpriseWebSearch enterprise_web_search excludeDomains executableCode executable_code fileSearchStores fileUri
file_search_stores file_uri finishMessage finish_message functionCallingConfig function_calling_config
function_declarations function_response generateContentRequest generate_content generate_content_request
generation_config googleMaps googleSearch googleSearchRetrieval google_maps google_search google_search_retrieval
groundingChunkIndices groundingChunks groundingMetadata groundingSupports grounding_chunk_indices grounding_chunks
grounding_metadata grounding_supports imageConfig image_config include_thoughts inline_data json_path logprobsResult
logprobs_result maxProperties max_items max_length max_properties mediaResolution media_resolution mime_type
minProperties min_items min_length min_properties modelArmorConfig modelStatus model_armor_config model_status
model_version nullValue null_value numberValue number_value parametersJsonSchema parameters_json_schema partMetadata
part_metadata partialArgs partial_args predictLongRunning predict_long_running promptFeedback prompt_feedback
prompt_token_count propertyOrdering property_ordering responseFormat responseJsonSchema responseModalities
response_json_schema response_mime_type response_modalities response_schema retrievalQueries retrieval_queries
retrievedContext retrieved_context retryDelay retry_delay safetyRatings safetySetting safety_ratings safety_setting
safety_settings sdkHttpResponse sdk_http_response searchEntryPoint search_entry_point speechConfig speech_config
startIndex stream_generate_content stringValue string_value system_instruction thinkingLevel thinking_budget
thinking_config thinking_level thought_signature thoughts_token_count token_count toolCall toolResponse toolType
toolUsePromptTokenCount tool_call tool_config tool_response tool_type tool_use_prompt_token_count topLogprobs
totalTokens total_token_count traffic_type translationConfig translation_config tunedModels tuned_models urlContext
url_context usage_metadata videoMetadata video_metadata webSearchQueries web_search_queries willContinue
will_continue
"""
# Lower case; what says why a request was refused, without what it was about.
_ERRORS = """
a about above account additional after again alias all allow allowed already an and anew another answer answered
answers any api are argument arguments array as at authentication available backend bad balance be been before
below between billing block blocks body br but by byte bytes call calls can cannot capacity center check choose
client close closed code compatible complete completion connection contact contain contains content context
contexts could count credential credentials credit credits currently daily data day days decrease default denied
deprecated description detail did different disabled disconnect div do doctype document does due during each early
either empty enable enabled encountered end ended endpoint ensure entity error errors events exceed exceeded
exceeds exist expected expired extra failed failure fairlead field fields file finish first for forbidden form
format found from function gateway generate given got greater h1 had has have head header headers high hour hours
however hr html http https i if image images in including incorrect input inputs instead insufficient integer
internal into invalid is issue it its json keep key kind large larger last later least length less like limit
limited limits line list load login long longer lost lower made malformed many match maximum may message messages
method minimum minute minutes missing model models more most moved must name names needed nginx no none nor not
nothing null number object occurred of off on one only operation or order organization other our out output over
overloaded own p page param parameter parameters parse parsing part parts passed payment peer per permission
permitted plan please policy position possible premature problem processing prohibited project prompt property
provide provided provider proxy quota range rate reach reached read reason receive received reduce refused refuses
region reject rejected remove request requested requests require required requires reset resets resource response
result resulted results retry return role route rule safety schema sealed second seconds see send sends served
server serves service set shorten shorter should signature size smaller some speak speaks specified specify stale
start status still stop stream string such support supported supports system temporarily temporary text than that
the their them then there thinking this throttled time timed timeout title to token tokens too tool tools total
translated translation trouble true try turn type unable unauthorized unavailable undefined unexpected unknown
unprocessable unrecognized unsupported until up update upgrade upstream usage use used user using valid validation
value values version violation wait was were when where which while will window with within without would wrong
you your
"""

#: Names and values of the protocols.
PROTOCOL_WORDS = frozenset((*_PROTOCOLS.split(), *_GOOGLE.split()))
#: Those, and the words of error messages in lower case.
ERROR_WORDS = PROTOCOL_WORDS | frozenset(_ERRORS.split())
