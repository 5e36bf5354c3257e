"""The history as a file: exported as a stream, and imported from files that may be hostile.

An export is a ZIP of files that are stored, not compressed:

    media/<name>      the originals, byte for byte, under the names they have here
    thumbs/<name>     small copies, only of pictures whose originals were removed to save space
    history.jsonl     a line of JSON for each run, without what only one server knows    lines.py
    history.csv       the same in flat columns, for spreadsheets                         csv_rows.py
    grids.jsonl       the grids that the runs belong to: plan, cells, ballots
    grid/<name>       other files of an exported grid; an import ignores them
    README.txt        what this is

export.py writes it;  safety.py checks a file before its import;  import_.py imports it, all or nothing
"""
