"""Scores a query's documents with vLLM, without a server: python offline.py"""

from pathlib import Path

from vllm import LLM

HERE = Path(__file__).resolve().parent
OPTIONS = {"model": "@model@"}
TEMPLATE = "template.jinja"
QUERY = "@query@"
DOCUMENTS = ["@documents@"]


def main() -> None:
    llm = LLM(**OPTIONS)
    template = (HERE / TEMPLATE).read_text(encoding="utf-8") if TEMPLATE else None
    for document, answer in zip(DOCUMENTS, llm.score(QUERY, DOCUMENTS, chat_template=template), strict=True):
        print(answer.outputs.score, document)


if __name__ == "__main__":
    main()
