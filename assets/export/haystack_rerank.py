"""pip install haystack-ai httpx"""

from dataclasses import replace

import httpx
from haystack import Document, component

MODEL = "@model@"
QUERY = "@query@"
DOCUMENTS = ["@documents@"]


@component
class Reranker:
    def __init__(self, address: str = "http://127.0.0.1:8000", top_k: int = 10) -> None:
        self.address, self.top_k = address, top_k

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document]) -> dict[str, list[Document]]:
        if not documents:
            return {"documents": []}
        texts = [d.content or "" for d in documents]
        body = {"model": MODEL, "query": query, "documents": texts, "top_n": self.top_k}
        answer = httpx.post(f"{self.address}/rerank", json=body, timeout=60)
        answer.raise_for_status()
        results = answer.json()["results"]
        return {"documents": [replace(documents[r["index"]], score=r["relevance_score"]) for r in results]}


if __name__ == "__main__":
    for found in Reranker().run(QUERY, [Document(content=d) for d in DOCUMENTS])["documents"]:
        print(found.score, found.content)
