"""pip install litellm        (it asks the web for prices at the start; LITELLM_LOCAL_MODEL_COST_MAP=True keeps it from that)"""

import litellm

MODEL = "@model@"
QUERY = "@query@"
DOCUMENTS = ["@documents@"]

answer = litellm.rerank(
    model=f"hosted_vllm/{MODEL}", api_base="http://127.0.0.1:8000", query=QUERY, documents=DOCUMENTS, top_n=10
)
for result in answer.results:
    print(result["relevance_score"], DOCUMENTS[result["index"]])
