#!/usr/bin/env bash
# Writes every file of a folder into a repository in one commit, through GitHub's API, and nothing else of it:
#   put-tree.sh OWNER/NAME FOLDER MESSAGE [BRANCH]
# Without BRANCH the commit lands on the default branch; with it on a branch from there, which is made or made anew. Where
# nothing would change, nothing is written, so that it can be run again. Environment: GH_TOKEN.
set -euo pipefail

repository=$1 folder=$2 message=$3 branch=${4:-}
base=$(gh api "repos/$repository" --jq .default_branch)
parent=$(gh api "repos/$repository/git/ref/heads/$base" --jq .object.sha)
entries='[]'
while IFS= read -r -d '' file; do
  blob=$(base64 < "$file" | jq --raw-input --slurp '{content: ., encoding: "base64"}' |
    gh api "repos/$repository/git/blobs" --input - --jq .sha)
  entries=$(jq --arg path "${file#"$folder"/}" --arg sha "$blob" \
    '. + [{path: $path, mode: "100644", type: "blob", sha: $sha}]' <<< "$entries")
done < <(find "$folder" -type f -print0 | sort -z)
tree=$(jq --arg base "$parent" '{base_tree: $base, tree: .}' <<< "$entries" |
  gh api "repos/$repository/git/trees" --input - --jq .sha)
if [ "$tree" = "$(gh api "repos/$repository/git/commits/$parent" --jq .tree.sha)" ]; then
  echo "$repository has all of it already"
  exit 0
fi
commit=$(jq --null-input --arg message "$message" --arg tree "$tree" --arg parent "$parent" \
  '{message: $message, tree: $tree, parents: [$parent]}' | gh api "repos/$repository/git/commits" --input - --jq .sha)
if [ -n "$branch" ] && gh api "repos/$repository/git/ref/heads/$branch" --silent 2> /dev/null; then
  gh api --method PATCH "repos/$repository/git/refs/heads/$branch" --field "sha=$commit" --field force=true --silent
elif [ -n "$branch" ]; then
  gh api "repos/$repository/git/refs" --field "ref=refs/heads/$branch" --field "sha=$commit" --silent
else
  gh api --method PATCH "repos/$repository/git/refs/heads/$base" --field "sha=$commit" --silent
fi
