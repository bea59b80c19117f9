"""What the site has beside the pages of docs/: reference pages from the code, and the code blocks that tests run."""
