"""The side wing that makes the shipped demo reranker: scenes, questions, training, checking."""
