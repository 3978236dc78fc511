"""Clients of other people, unchanged: Cohere's, LangChain's and LlamaIndex's drive the server; Jina's bodies are sent."""

from __future__ import annotations

from collections.abc import Iterator

import cohere
import httpx
import pytest
from langchain_cohere import CohereRerank
from langchain_core.documents import Document

from tests.servers import served
from workbench import api
from workbench.pool import LEXICAL, Bench

TEXTS = ["nothing here", "a red circle", "red paint"]


@pytest.fixture(scope="module")
def url(bench: Bench) -> Iterator[str]:
    with served(api.build(bench, api_key="s3cret")) as url:
        yield url


def test_coheres_client_ranks_through_v2(url: str) -> None:
    client = cohere.ClientV2(api_key="s3cret", base_url=url)
    answer = client.rerank(model=LEXICAL, query="red circle", documents=TEXTS, top_n=2)
    assert [r.index for r in answer.results] == [1, 2] and answer.results[0].relevance_score > 0.5 and answer.id
    everything = client.rerank(model=LEXICAL, query="red circle", documents=TEXTS, max_tokens_per_doc=2)
    assert [r.index for r in everything.results] == [1, 2, 0]


def test_coheres_client_ranks_through_v1(url: str) -> None:
    client = cohere.Client(api_key="s3cret", base_url=url)
    answer = client.rerank(model=LEXICAL, query="red circle", documents=TEXTS, return_documents=False)
    assert [r.index for r in answer.results] == [1, 2, 0]


def test_coheres_client_is_told_what_is_wrong(url: str) -> None:
    with pytest.raises(cohere.NotFoundError, match="does not exist"):
        cohere.ClientV2(api_key="s3cret", base_url=url).rerank(model="rerank-v3.5", query="q", documents=["d"])
    with pytest.raises(cohere.UnauthorizedError):
        cohere.ClientV2(api_key="wrong", base_url=url).rerank(model=LEXICAL, query="q", documents=["d"])


@pytest.mark.parametrize("top_n", [2, None])
def test_langchains_compressor_ranks(url: str, top_n: int | None) -> None:
    client = cohere.ClientV2(api_key="s3cret", base_url=url)
    compressor = CohereRerank(client=client, model=LEXICAL, cohere_api_key="s3cret", top_n=top_n)
    ranked = compressor.compress_documents([Document(page_content=t) for t in TEXTS], "red circle")
    assert [d.page_content for d in ranked] == [TEXTS[1], TEXTS[2], TEXTS[0]][:top_n]
    assert ranked[0].metadata["relevance_score"] > ranked[1].metadata["relevance_score"]


def test_llamaindexs_postprocessor_ranks(url: str) -> None:
    jina = pytest.importorskip("llama_index.postprocessor.jinaai_rerank", reason="NOT RUN: bash tests/run installs LlamaIndex's")
    from llama_index.core.schema import NodeWithScore, TextNode

    nodes = [NodeWithScore(node=TextNode(text=text), score=0.0) for text in TEXTS]
    ranker = jina.JinaRerank(top_n=2, model=LEXICAL, base_url=f"{url}/v1", api_key="s3cret")
    ranked = ranker.postprocess_nodes(nodes, query_str="red circle")
    assert [n.node.get_content() for n in ranked] == [TEXTS[1], TEXTS[2]] and ranked[0].score > ranked[1].score


@pytest.mark.parametrize(
    "fields",
    [
        {"top_n": 2},  # LangChain's client of Jina
        {"top_n": 2, "return_documents": True},  # Jina's own example
        {"top_n": 2, "return_documents": False, "truncation": True},
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_jinas_bodies_are_taken(url: str, fields: dict[str, object], wrapped: bool) -> None:
    documents = [{"text": t} for t in TEXTS] if wrapped else TEXTS
    body = {"model": LEXICAL, "query": "red circle", "documents": documents, **fields}
    headers = {"Authorization": "Bearer s3cret", "Accept-Encoding": "identity"}
    answer = httpx.post(f"{url}/v1/rerank", json=body, headers=headers, timeout=30).json()
    assert [(r["index"], r["document"]["text"]) for r in answer["results"]] == [(1, TEXTS[1]), (2, TEXTS[2])]
    assert answer["results"][0]["relevance_score"] > answer["results"][1]["relevance_score"] and answer["usage"]["total_tokens"]
