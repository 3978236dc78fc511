"""A workbench for rerankers: write the prompt, see the tokens, rank, compare, export."""
