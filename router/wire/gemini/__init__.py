"""Google's Gemini API: generateContent, in and out."""
