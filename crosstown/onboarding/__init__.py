"""From a CSV that nobody has described to a contract that asks what it can't know.

    look (connectors/csv_look) -> columns -> plan -> contract_text, schema_text, source_text, examples

All of it is pure: `columns` says what each column is, `plan` what a row says, the writers write it
down. What nobody can read off a file stands in them as a question (crosstown/contracts/questions.py).
"""
