"""pip install langchain-cohere"""

from langchain_cohere import CohereRerank
from langchain_core.documents import Document

MODEL = "@model@"
QUERY = "@query@"
DOCUMENTS = ["@documents@"]

reranker = CohereRerank(model=MODEL, base_url="http://127.0.0.1:8000", cohere_api_key="none", top_n=10)
for document in reranker.compress_documents([Document(page_content=d) for d in DOCUMENTS], QUERY):
    print(document.metadata["relevance_score"], document.page_content)
