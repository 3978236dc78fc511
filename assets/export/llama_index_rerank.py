"""pip install llama-index-core httpx"""

import httpx
from llama_index.core.bridge.pydantic import Field
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

MODEL = "@model@"
QUERY = "@query@"
DOCUMENTS = ["@documents@"]


class Reranker(BaseNodePostprocessor):
    address: str = Field(default="http://127.0.0.1:8000")
    top_n: int = Field(default=10)

    @classmethod
    def class_name(cls) -> str:
        return "Reranker"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None or not nodes:
            return nodes
        texts = [n.node.get_content() for n in nodes]
        body = {"model": MODEL, "query": query_bundle.query_str, "documents": texts, "top_n": self.top_n}
        answer = httpx.post(f"{self.address}/rerank", json=body, timeout=60)
        answer.raise_for_status()
        results = answer.json()["results"]
        return [NodeWithScore(node=nodes[r["index"]].node, score=r["relevance_score"]) for r in results]


if __name__ == "__main__":
    tried = [NodeWithScore(node=TextNode(text=d)) for d in DOCUMENTS]
    for found in Reranker().postprocess_nodes(tried, query_str=QUERY):
        print(found.score, found.node.get_content())
